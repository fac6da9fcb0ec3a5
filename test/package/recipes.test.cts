/** The recipes of CONTRIBUTING.md, followed in a copy of the tree: a step that is left out is demanded by a test. */
import { cpSync, existsSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { read, ROOT, run, temporaryFolder } from './packed.cjs';

/** Milliseconds; each test starts jest or the compiler. */
jest.setTimeout(120_000);

const FOLDERS = ['nodes', 'credentials', 'docs', 'examples', 'test', '.ci', '.github'];
const FILES = ['README.md', 'CONTRIBUTING.md', 'package.json', 'tsconfig.json'];

interface Step {
	file: string;
	edit: (text: string) => string;
	/** What the checks of the package say without this step. */
	demand: RegExp;
}

const behind = (place: RegExp, text: string) => (file: string) =>
	file.replace(place, (found) => found + text);

const OPERATION = `/** Cancel Video: an example. */
import type { Operation } from './operation';

export const cancel: Operation = {
	label: 'Cancel Video',
	action: 'Cancel video',
	description: 'Stop a video that was started before',
	fields: [],
	callsApi: false,
	run: async () => [],
};
`;

const step = (file: string, demand: RegExp, edit: Step['edit']): Step => ({ file, demand, edit });

const RECIPES: Record<string, Step[]> = {
	'Adding a parameter': [
		step(
			'nodes/shared/task/request.ts',
			/\+ +"seed"/,
			behind(
				/^const PARAMETERS = \{\n/m,
				"\tseed: { apiName: 'seed', read: (value: unknown) => Number(value ?? 0) },\n",
			),
		),
		step(
			'nodes/Seedance/description/fields.ts',
			/- +"seed"/,
			behind(
				/^export const cameraFields: INodeProperties\[\] = \[\n/m,
				"\t{ displayName: 'Seed', name: 'seed', type: 'number', default: 0 },\n",
			),
		),
		step(
			'docs/fields.md',
			/- +"Seed"/,
			behind(/^\| \*\*Prompt\*\* .*\n/m, '| **Seed** | 0 | Repeats a video | ✓ | ✓ | | | |\n'),
		),
	],
	'Adding an operation': [
		step('nodes/Seedance/operations/cancel.ts', /Cannot find module '\.\/cancel'/, () => OPERATION),
		step('nodes/Seedance/operations/index.ts', /\+ +"cancel"/, (text) =>
			text
				.replace(/^export const OPERATIONS = \{\n(?:\t\w+,\n)+/m, '$&\tcancel,\n')
				.replace(/'n8n-workflow';\n/, "$&import { cancel } from './cancel';\n"),
		),
		step('nodes/Seedance/__schema__/v1.0.0/video/cancel.json', /- +"cancel\.json"/, () =>
			read('nodes/Seedance/__schema__/v1.0.0/video/status.json'),
		),
		step(
			'README.md',
			/- +"Cancel Video"/,
			behind(/^\| \*\*Wait for Video\*\* .*\n/m, '| **Cancel Video** | Stops a video |\n'),
		),
		step(
			'docs/fields.md',
			/fields\.md has no table with the columns .*Cancel Video/,
			behind(/^\| Field \| Default \|.*\| Wait for Video \|/m, ' Cancel Video |'),
		),
	],
};

const copy = temporaryFolder();

beforeAll(() => {
	for (const name of [...FOLDERS, ...FILES]) {
		cpSync(join(ROOT, name), join(copy, name), { recursive: true });
	}
	symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'), 'junction');
});

/** Takes the steps in the copy, all but those that are left out; what an earlier test did is undone. */
function take(steps: Step[], leftOut: Step[] = []): void {
	for (const step of steps) {
		const [from, to] = [join(ROOT, step.file), join(copy, step.file)];
		const before = existsSync(from) ? read(from) : '';
		const after = leftOut.includes(step) ? before : step.edit(before);
		rmSync(to, { force: true });
		if (after) writeFileSync(to, after);
	}
}

const CHECKS =
	'node_modules/jest/bin/jest.js -c test/jest.config.cjs --selectProjects package --runInBand --testPathPatterns readme source';
const runChecks = () => run('node', CHECKS.split(' '), copy);

describe.each(Object.entries(RECIPES))('%s', (title, steps) => {
	afterAll(() => take(steps, steps));

	it.each(steps)('is demanded by a test in $file', (step) => {
		take(steps, [step]);
		expect(runChecks()).toMatchObject({ status: 1, output: expect.stringMatching(step.demand) });
	});

	it('is described in CONTRIBUTING.md, and complete', () => {
		const recipe =
			read('CONTRIBUTING.md')
				.split(/^## /m)
				.find((text) => text.startsWith(title)) ?? '';
		const files = steps.map(({ file }) => file.replace('cancel', '<operation>'));
		expect(files.filter((file) => !recipe.includes(file))).toEqual([]);
		take(steps);
		expect(runChecks()).toMatchObject({ status: 0, output: expect.not.stringContaining('●') });
		const types = run('node', ['node_modules/typescript/bin/tsc', '--noEmit'], copy);
		expect(types).toMatchObject({ status: 0 });
	});
});
