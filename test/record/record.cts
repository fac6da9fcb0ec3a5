// Records what the nodes of a built package do, in the examples and in the schedules of the fault suite, with everything
// taken out that differs from run to run; and compares two recordings.
//
//     node --require tsx/cjs test/record/record.cts --dist <folder> --out <file.json>
//     node --require tsx/cjs test/record/record.cts --compare <before.json> <after.json>
//
// Both recordings need the same tests: record each folder with the tree as it is. Of the schedules, each 15th runs, in
// every setting in turn; `--every 1` runs all of them.
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { parseArgs } from 'node:util';

import { differencesOf } from './compare.cjs';
import { expectNoSources, loadNodesFrom } from './fromDist.cjs';

const { values: options, positionals } = parseArgs({
	options: {
		dist: { type: 'string' },
		out: { type: 'string' },
		compare: { type: 'boolean' },
		every: { type: 'string', default: '15' },
	},
	allowPositionals: true,
});

const readRecording = (path: string): Record<string, unknown> =>
	JSON.parse(readFileSync(path, 'utf8'));

async function main(): Promise<number> {
	if (options.compare && positionals.length === 2) {
		const [before, after] = positionals.map(readRecording);
		const differences = differencesOf(before, after);
		process.stdout.write(
			differences.length > 0
				? `${differences.join('\n\n')}\n\n${differences.length} kinds of differences\n`
				: `No difference in ${Object.keys(before).length} records\n`,
		);
		return differences.length > 0 ? 1 : 0;
	}
	if (options.dist === undefined || options.out === undefined) {
		process.stderr.write('Give --dist <folder> --out <file>, or --compare <before> <after>\n');
		return 2;
	}
	loadNodesFrom(options.dist);
	// Loaded only now: it takes the nodes as they are.
	const { record }: typeof import('./recording.cjs') = createRequire(__filename)('./recording.cjs');
	expectNoSources();
	const recording = await record(Number(options.every));
	writeFileSync(options.out, JSON.stringify(recording));
	process.stdout.write(`${Object.keys(recording).length} records in ${options.out}\n`);
	return 0;
}

void main().then((code) => process.exit(code));
