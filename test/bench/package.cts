/** What users install: how long n8n takes to load it, how large it is, and that it holds nothing but the product. */
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ModuleKind, ScriptTarget, transpileModule } from 'typescript';
import { packPackage, readManifest, ROOT, runTool } from '../package/packed.cjs';
import type { Bench, Measured } from './bench.cjs';
import { compare, median } from './report.cjs';

const STARTS = { usual: 15, quick: 5 };
/** Milliseconds more than the example node of n8n's starter. */
const MARK_MS = 30;
/** Times the example's time: what loads our files slowly loads n8n's slowly as well. */
const GROSS_RATIO = 2;
const MARK_KB = 60;
/** Above what the package suite allows, which has grown with the list of videos and the models. */
const GROSS_KB = 140;

const EXAMPLE =
	'node_modules/@n8n/node-cli/dist/template/templates/programmatic/example/template/nodes/Example/Example.node.ts';
const NOT_OURS = /test|sandbox|bench|\.map$|(?<!\.d)\.ts$|tsbuildinfo/i;

export async function loading({ quick, say }: Bench): Promise<Measured> {
	const rounds = quick ? STARTS.quick : STARTS.usual;
	const { folder, remove } = packPackage();
	try {
		mkdirSync(join(folder, 'node_modules'));
		const n8nWorkflow = join('node_modules', 'n8n-workflow');
		symlinkSync(join(ROOT, n8nWorkflow), join(folder, n8nWorkflow), 'dir');
		const { nodes, credentials } = readManifest(folder).n8n;
		const ours = { files: [...nodes, ...credentials].map((file) => join(folder, file)), ms: [0] };
		const example = { files: [starterExample(folder)], ms: [0] };
		say(`${rounds} cold starts each`);
		// The first of each comes from the disk, and is written over.
		for (let round = -1; round < rounds; round++) {
			for (const one of [example, ours]) one.ms[Math.max(0, round)] = msToLoad(folder, one.files);
		}
		const [mine, theirs] = [median(ours.ms), median(example.ms)];
		const what = 'Loading both nodes and the credential';
		const figure = {
			...compare(what, [mine, theirs], (ms) => `${ms.toFixed(0)} ms`),
			mark: `≤ ${MARK_MS} ms more`,
			isMet: mine - theirs <= MARK_MS,
			isGross: mine > GROSS_RATIO * theirs,
		};
		return {
			figures: [figure],
			note: `The middle of ${rounds} cold starts, n8n-workflow included; beside it the example node that n8n's own starter makes.`,
		};
	} finally {
		remove();
	}
}

/** The starter's example node, compiled. */
function starterExample(folder: string): string {
	const { outputText } = transpileModule(readFileSync(join(ROOT, EXAMPLE), 'utf8'), {
		compilerOptions: { module: ModuleKind.CommonJS, target: ScriptTarget.ES2021 },
	});
	const file = join(folder, 'Example.node.js');
	writeFileSync(file, outputText);
	return file;
}

/** Milliseconds that a new process takes to load these files. */
function msToLoad(folder: string, files: readonly string[]): number {
	const script = `const from = performance.now();
for (const file of ${JSON.stringify(files)}) require(file);
console.log(performance.now() - from);`;
	return Number(runTool(process.execPath, ['-e', script], folder));
}

export async function packed(): Promise<Measured> {
	const { bytes, files, remove } = packPackage();
	remove();
	const strange = files.filter((file) => NOT_OURS.test(file));
	const kilobytes = bytes / 1000;
	return {
		figures: [
			{
				name: 'Packed size',
				ours: `${kilobytes.toFixed(1)} kB`,
				mark: `< ${MARK_KB} kB`,
				isMet: kilobytes < MARK_KB,
				isGross: kilobytes >= GROSS_KB,
			},
			{
				name: `Files of tests or of the sandbox, and source maps, among ${files.length}`,
				ours: strange.length ? strange.join(', ') : '0',
				mark: '0',
				isMet: strange.length === 0,
				isGross: strange.length > 0,
			},
		],
		note: 'As `npm pack` makes it.',
	};
}
