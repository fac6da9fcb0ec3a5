/** The recipes of CONTRIBUTING.md, followed in a copy of the tree: a step that is left out is demanded by a test. */
import { cpSync, existsSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { filesUnder, read, ROOT, run, temporaryFolder } from './packed.cjs';

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

const MODEL = `	{
		...VERSION_2,
		value: 'seedance-2-ultra',
		label: 'Seedance 2 Ultra',
		apiName: 'seedance-2-ultra',
		aspectRatios: ['16:9', '9:16'],
		resolutions: ['1080p', '720p'],
		durations: [6, 12],
		defaultDuration: 6,
		maxReferenceVideos: 0,
		usualSeconds: [180, 900],
		credits: ({ resolution, duration }) => duration * (resolution === '1080p' ? 100 : 60),
	},
`;

/** A test for the copy: what derives from the entry of that model. */
const MODEL_TEST = `import { NodeHelpers } from 'n8n-workflow';
import { Seedance } from '../../nodes/Seedance/Seedance.node';
import { TOOL_DESCRIPTION } from '../../nodes/Seedance/description/modelFields';
import { creditsOf } from '../../nodes/shared/task/models';
import { checkVideoRequest, requestBody, settingsOf } from '../../nodes/shared/task/request';
import { nodeWith } from '../support/node';

const { description } = new Seedance();
const ULTRA = { model: 'seedance-2-ultra', prompt: 'A boat' };

it('is chosen by its costs and its time, also by an AI agent', () => {
	const text = '360 to 1200 credits, usually 3 to 15 minutes';
	const field = description.properties.find(({ name }) => name === 'model');
	expect(field?.options?.at(-1)).toEqual({ name: 'Seedance 2 Ultra', value: ULTRA.model, description: text });
	expect(TOOL_DESCRIPTION).toContain('seedance-2-ultra: ' + text);
});

it.each(['none', 'url'])('has its own fields, image: %s', (imageSource) => {
	const chosen = { operation: 'generate', ...ULTRA, imageSource };
	const node = nodeWith(chosen);
	const values = NodeHelpers.getNodeParameters(description.properties, chosen, true, false, node, description);
	const shown = description.properties.filter((field) =>
		NodeHelpers.displayParameter(values ?? {}, field, node, description),
	);
	const choices = Object.fromEntries(
		shown.map(({ name, options = [] }) => [name, options.flatMap((one) => ('value' in one ? one.value : []))]),
	);
	expect(choices).toMatchObject({ duration: [6, 12], resolution: ['1080p', '720p'], public: [] });
	expect(choices.aspectRatio).toEqual(imageSource === 'none' ? ['16:9', '9:16'] : undefined);
	for (const name of ['generateAudio', 'fixedLens', 'referenceVideos']) expect(choices).not.toHaveProperty(name);
});

it('is checked, sent and priced', () => {
	const checked = checkVideoRequest({ ...ULTRA, duration: '12s', resolution: '1080p' }, 'internet');
	if (!checked.ok) throw new Error(checked.problems.join());
	expect(JSON.stringify(requestBody(checked.value))).toBe(
		'{"model":"seedance-2-ultra","prompt":"A boat","aspect_ratio":"9:16","resolution":"1080p","duration":12,"public":false}',
	);
	expect(creditsOf(settingsOf(checked.value))).toBe(1200);
	expect(checkVideoRequest({ ...ULTRA, duration: 8 }, 'internet')).toEqual({
		ok: false,
		problems: ['Duration "8" is not supported by Seedance 2 Ultra. Allowed: 6, 12 seconds.'],
	});
	const own = (description.hints ?? []).filter(({ displayCondition = '' }) => displayCondition.includes(ULTRA.model));
	expect(own.map(({ message }) => message)).toContain('Each video with these settings costs 1200 credits and usually takes 3 to 15 minutes.');
});
`;

const step = (file: string, demand: RegExp, edit: Step['edit']): Step => ({ file, demand, edit });

const RECIPES: Record<string, Step[]> = {
	'Adding a parameter': [
		step(
			'nodes/shared/task/request.ts',
			/\+ +"seed"/,
			behind(
				/^const PARAMETERS = \{\n/m,
				'\tseed: {\n\t\tread: (value: unknown) => Number(value ?? 0),\n\t\tbody: (seed: number): GenerateBody => ({ seed }),\n\t},\n',
			),
		),
		step(
			'nodes/Seedance/description/fields.ts',
			/- +"seed"/,
			behind(
				/^export const freeFields: INodeProperties\[\] = \[/m,
				"\n\t{ displayName: 'Seed', name: 'seed', type: 'number', default: 0 },\n\t",
			),
		),
		step(
			'docs/fields.md',
			/- +"Seed"/,
			behind(/^\| \*\*Prompt\*\* .*\n/m, '| **Seed** | 0 | Repeats a video | ✓ | ✓ | | | |\n'),
		),
	],
	'Adding a model': [
		step(
			'nodes/shared/task/models.ts',
			/\+ +"Seedance 2 Ultra, 1080p"/,
			behind(/^export const MODELS(?:.*\n)+?(?=\];)/m, MODEL),
		),
		step('docs/models.md', /- +"Seedance 2 Ultra, 1080p"/, (text) =>
			text
				.replace(
					/^\| \*\*Seedance 2 Mini\*\* .*\n/m,
					'$&| **Seedance 2 Ultra** | 6, 12 | 1080p, 720p | 16:9, 9:16; that of the image, where there is one | 4 | none | Public |\n',
				)
				.replace(
					/^\| Seedance 2 Mini, 480p, with .*\n/m,
					'$&| Seedance 2 Ultra, 1080p | 500 | 1000 | 1500 |\n| Seedance 2 Ultra, 720p | 300 | 600 | 900 |\n',
				),
		),
		step('docs/fields.md', /\+ +\\?"Seedance 2 Ultra/, (text) =>
			text.replace(/Fast or Seedance 2 Mini\b/, '$&, or Seedance 2 Ultra'),
		),
		step('README.md', /says of each model what it takes/, (text) =>
			text
				.replace(/Fast or Seedance 2 Mini\b/, '$&, or Seedance 2 Ultra')
				.replace(
					/^\| Seedance 2 Mini \| .*\n/m,
					'$&| Seedance 2 Ultra | 6 or 12 | 360 to 1200 | 3 to 15 minutes |\n',
				),
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

it('a model is one entry: fields, checks, body, prices, hints and the text for agents follow it', () => {
	const steps = RECIPES['Adding a model'];
	take(steps);
	const test = join(copy, 'test/unit/addedModel.test.ts');
	writeFileSync(test, MODEL_TEST);
	const jest =
		'node_modules/jest/bin/jest.js -c test/jest.config.cjs --selectProjects unit --runInBand';
	const ran = run('node', [...jest.split(' '), '--testPathPatterns', 'addedModel'], copy);
	expect(ran).toMatchObject({ status: 0, output: expect.stringContaining('4 passed') });
	const changed = filesUnder('nodes', 'credentials').filter(
		(file) => read(file) !== read(join(copy, file)),
	);
	expect(changed).toEqual(['nodes/shared/task/models.ts']);
	rmSync(test);
	take(steps, steps);
});
