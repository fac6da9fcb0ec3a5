// Records what the nodes of a built package do, in the examples and in the schedules of the fault suite, with everything
// taken out that differs from run to run; and compares two recordings.
//
//     node --require tsx/cjs test/record/record.cts --dist <folder> --out <file.json>
//     node --require tsx/cjs test/record/record.cts --compare <before.json> <after.json>
//
// Both recordings need the same tests: record each folder with the tree as it is. Of the schedules, each 15th runs, in
// every setting in order; `--every 1` runs all of them.
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';

import { loadNodesFrom } from '../support/builtNodes.cjs';

const load = createRequire(__filename);

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
