/** Load time: `require` of what n8n loads of a package, cold, in a process of its own. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ModuleKind, ScriptTarget, transpileModule } from 'typescript';
import { ROOT, runTool } from '../package/packed.cjs';
import { median } from './report.cjs';
import type { Row } from './rows.cjs';

const ROUNDS = { usual: 15, quick: 5 };
/** Milliseconds more than the starter's node. */
const MARK_MS = 30;
const GROSS_MS = 100;

const EXAMPLE = 'programmatic/example/template/nodes/Example/Example.node.ts';

export const loading: Row = {
	name: 'loading',
	what: 'load time',
	measure: async ({ quick, say, tarball }) => {
		const rounds = ROUNDS[quick ? 'quick' : 'usual'];
		const folder = mkdtempSync(join(tmpdir(), 'seedance-loading-'));
		try {
			const ours = unpacked(folder, tarball);
			const example = starterExample(folder);
			const took: { ours: number[]; example: number[] } = { ours: [], example: [] };
			say(`${rounds} cold starts each`);
			// The first of each comes from the disk.
			msToLoad(folder, ours);
			msToLoad(folder, example);
			for (let round = 0; round < rounds; round++) {
				took.example.push(msToLoad(folder, example));
				took.ours.push(msToLoad(folder, ours));
			}
			const [mine, theirs] = [median(took.ours), median(took.example)];
			return await Promise.resolve({
				figures: [
					{
						name: 'Loading both nodes and the credential',
						ours: `${mine.toFixed(0)} ms`,
						beside: `${theirs.toFixed(0)} ms`,
						ratio: (mine / theirs).toFixed(2),
						mark: `≤ ${MARK_MS} ms more`,
						isMet: mine - theirs <= MARK_MS,
						isGross: mine - theirs > GROSS_MS,
					},
				],
				note: `The middle of ${rounds} cold starts, n8n-workflow included; beside it the example node that n8n's own starter makes.`,
			});
		} finally {
			rmSync(folder, { recursive: true, force: true });
		}
	},
};

/** The files that n8n loads of the packed package. */
function unpacked(folder: string, tarball: string): string[] {
	runTool('tar', ['-xzf', tarball], folder);
	mkdirSync(join(folder, 'node_modules'));
	const workflow = join('node_modules', 'n8n-workflow');
	symlinkSync(join(ROOT, workflow), join(folder, workflow), 'dir');
	const manifest: { n8n: { nodes: string[]; credentials: string[] } } = JSON.parse(
		readFileSync(join(folder, 'package', 'package.json'), 'utf8'),
	);
	const { nodes, credentials } = manifest.n8n;
	return [...nodes, ...credentials].map((file) => join(folder, 'package', file));
}

/** The starter's example node, compiled. */
function starterExample(folder: string): string[] {
	const templates = join(ROOT, 'node_modules/@n8n/node-cli/dist/template/templates');
	const { outputText } = transpileModule(readFileSync(join(templates, EXAMPLE), 'utf8'), {
		compilerOptions: { module: ModuleKind.CommonJS, target: ScriptTarget.ES2021 },
	});
	const file = join(folder, 'Example.node.js');
	writeFileSync(file, outputText);
	return [file];
}

/** Milliseconds that a new process takes to load these files. */
function msToLoad(folder: string, files: readonly string[]): number {
	const script = `const from = performance.now();
for (const file of ${JSON.stringify(files)}) require(file);
console.log(performance.now() - from);`;
	return Number(runTool(process.execPath, ['-e', script], folder));
}
