// Records what the nodes of a built package do, in the examples and in the schedules of the fault suite, with everything
// taken out that differs from run to run; and compares two recordings.
//
//     node --require tsx/cjs test/record/record.cts --dist <folder> --out <file.json>
//     node --require tsx/cjs test/record/record.cts --compare <before.json> <after.json>
//
// Both recordings need the same tests: record each folder with the tree as it is. Of the schedules, each 15th runs, in
// every setting in turn; `--every 1` runs all of them.
import { ModuleMocker } from 'jest-mock';
import { spawnSync } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

/** What the tests' engine loads of the package. A built file may stand in any folder: its name is what counts. */
const SOURCES = [
	'../../credentials/SeedanceApi.credentials',
	'../../nodes/Seedance/Seedance.node',
	'../../nodes/SeedanceTrigger/SeedanceTrigger.node',
	'../../nodes/shared/n8n/clock',
];

const load = createRequire(__filename);

/** Everything that is loaded after this gets the nodes of a built package, and jest's mocks in the place of jest. */
function loadNodesFrom(dist: string): void {
	const files = readdirSync(dist, { recursive: true, encoding: 'utf8' });
	const modules = SOURCES.map((source): object => {
		const built = files.find((file) => basename(file) === `${basename(source)}.js`);
		if (!built) throw new Error(`${dist} has no ${basename(source)}.js`);
		const path = join(dist, built);
		const module: object = load(path);
		load.cache[load.resolve(source)] = load.cache[path];
		return module;
	});
	const mocker = new ModuleMocker(globalThis);
	const spyOn = (given: object, name: never) => {
		// What a file imports as a namespace is a view of the module, which cannot be changed.
		const isView = (module: object) => Reflect.get(module, name) === Reflect.get(given, name);
		return mocker.spyOn(modules.find(isView) ?? given, name);
	};
	Object.assign(globalThis, { jest: { spyOn, restoreAllMocks: () => mocker.restoreAllMocks() } });
}

async function main(): Promise<number> {
	const { values: options, positionals } = parseArgs({
		options: {
			dist: { type: 'string' },
			out: { type: 'string' },
			compare: { type: 'boolean' },
			every: { type: 'string', default: '15' },
		},
		allowPositionals: true,
	});
	if (options.compare) {
		const diff = ['diff', '--no-index', '--word-diff', '-U2', ...positionals];
		return spawnSync('git', diff, { stdio: 'inherit' }).status ?? 2;
	}
	if (options.dist === undefined || options.out === undefined) {
		process.stderr.write('Give --dist <folder> --out <file>, or --compare <before> <after>\n');
		return 2;
	}
	loadNodesFrom(resolve(options.dist));
	// Loaded only now: it takes the nodes as they are.
	const { record }: typeof import('./recording.cjs') = load('./recording.cjs');
	const recording = await record(Number(options.every));
	writeFileSync(options.out, JSON.stringify(recording, null, '\t'));
	process.stdout.write(`${Object.keys(recording).length} records in ${options.out}\n`);
	return 0;
}

void main().then((code) => process.exit(code));
