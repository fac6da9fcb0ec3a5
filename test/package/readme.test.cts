/**
 * The tables and pictures of the documents for users say what the code does: every operation, field, price, failure and
 * limit. Their sentences are compared in docs.test.cts.
 */
import { readdirSync, statSync } from 'node:fs';
import { join, posix } from 'node:path';
import type { INodeProperties } from 'n8n-workflow';
import { NUMBERS } from '../../nodes/Seedance/description/numbers';
import { RETRY_AFTER_MAX_MS } from '../../nodes/shared/api/throttle';
import * as client from '../../nodes/shared/api/client';
import * as download from '../../nodes/shared/api/download';
import { POLL_WINDOW_SECONDS } from '../../nodes/shared/api/pollInterval';
import * as pollInterval from '../../nodes/shared/api/pollInterval';
import * as polling from '../../nodes/shared/api/polling';
import { POST_MAX_TRIES, READ_MAX_FAILURES } from '../../nodes/shared/api/retry';
import { DECIDE_WITHIN_MS, EARLY_MS } from '../../nodes/shared/callback/confirmTask';
import { CALLBACK_URL_MAX_LENGTH, METADATA_MAX_BYTES } from '../../nodes/shared/callback/signature';
import { EXECUTION_RESERVE_MS } from '../../nodes/shared/n8n/limit';
import * as models from '../../nodes/shared/task/models';
import { NO_VIDEO_GRACE_MS } from '../../nodes/shared/task/task';
import { unreadTaskItem } from '../../nodes/shared/task/taskItem';
import { REMEMBERED_EVENTS } from '../../nodes/SeedanceTrigger/deduplication';
import { creditsFor } from '../support/prices';
import { read, readJson, ROOT } from './packed.cjs';
import { CREDENTIAL, fieldsIn, NODES, OPERATIONS } from './shown.cjs';

const LARGEST_IMAGE_BYTES = 300_000;
/** npm packs the README with the code, and people read it to its end: what is longer belongs into docs. */
const LONGEST_README_LINES = 220;
const LARGEST_README_BYTES = 16_000;

const README = 'README.md';
const FIELDS = 'docs/fields.md';
const CALLBACKS = 'docs/callbacks.md';
const LIMITS = 'docs/limits-and-compatibility.md';
const RECIPES = 'docs/recipes.md';
const MODELS = 'docs/models.md';
const TROUBLESHOOTING = 'docs/troubleshooting.md';
/** What a user reads, and so no document for maintainers. */
const OTHERS = [
	FIELDS,
	CALLBACKS,
	LIMITS,
	RECIPES,
	MODELS,
	'docs/retry-and-crash.md',
	TROUBLESHOOTING,
	'docs/video-list.md',
	'docs/n8n-3.md',
];
const FOR_USERS = [README, ...OTHERS];

/** Labels in bold and values in code, without the marks. */
const plain = (text = '') => text.replace(/\*\*|`/g, '');

/** The rows of the table that has these words in its head, its head first; each row a list of cells. */
function tableWith(document: string, ...words: string[]): string[][] {
	const found = (read(document).match(/(?:^\|.*\|\n)+/gm) ?? [])
		.map((table) => table.trim().split('\n'))
		.map((lines) => lines.map((line) => line.split(/\s*\|\s*/).slice(1, -1)))
		.find(([head]) => words.every((word) => head.includes(word)));
	if (!found) throw new Error(`${document} has no table with the columns ${words.join(', ')}.`);
	return found.filter((_, index) => index !== 1);
}

/** The same without its head and its marks. */
const rowsOf = (document: string, ...words: string[]) =>
	tableWith(document, ...words)
		.slice(1)
		.map((row) => row.map(plain));

/** A default as the documents write it. */
function written({ default: value, options = [], type }: INodeProperties): string {
	if (typeof value === 'boolean') return value ? 'on' : 'off';
	const label = (one: unknown) =>
		options.find((option) => 'value' in option && option.value === one)?.name ?? String(one);
	if (Array.isArray(value)) return value.map(label).join(', ');
	return /collection/i.test(type) ? '' : label(value).replace(/^=/, '');
}

const isGroup = ([label]: string[]) => ['Options', 'Filters'].includes(label);

/** Whether a field is the first of those that differ by the model alone; docs/models.md has the others. */
const isFirst = (field: INodeProperties, index: number, all: readonly INodeProperties[]) => {
	const shownFor = ({ name, displayOptions }: INodeProperties) =>
		JSON.stringify([name, displayOptions?.show]);
	return !field.displayOptions?.hide?.model || all.map(shownFor).indexOf(shownFor(field)) === index;
};

/** The fields of a node as the documents list them: without notices, groups of options and what chooses the operation. */
const listed = (properties: readonly INodeProperties[]) =>
	properties
		.filter(({ name, type }) => type !== 'notice' && !['resource', 'operation'].includes(name))
		.filter(isFirst)
		.flatMap((property) => {
			const { show, hide } = property.displayOptions ?? {};
			const hidden: unknown[] = hide?.operation ?? [];
			const shown: unknown[] | undefined = show?.operation;
			const operations = OPERATIONS.filter(
				({ value }) => shown?.includes(value) ?? !hidden.includes(value),
			);
			return fieldsIn([property])
				.filter(({ labels, field }) => !isGroup(labels) || !/collection/i.test(field.type))
				.filter(({ labels }) => isGroup(labels) || labels.length === 1)
				.map(({ labels, field }) => ({
					label: labels.join(' → '),
					value: written(field),
					operations: operations.map(({ name }) => name),
				}));
		});

/** The texts of a type that is a union of texts, in the order of the source. */
function textsOfType(name: string): string[] {
	const source = read('nodes/shared/task/errors/problem.ts');
	const [, union = ''] = new RegExp(`type ${name} =([^;]+);`).exec(source) ?? [];
	return [...union.matchAll(/'(\w+)'/g)].map(([, text]) => text);
}

const [{ properties }, trigger] = NODES;
const everything = FOR_USERS.map(read).join('\n');
const errorCodes = textsOfType('ErrorCode');
const chargedWords = textsOfType('Charged');
const itemFields = Object.keys(
	unreadTaskItem({ taskId: null, model: null, prompt: null, estimatedCredits: null }),
);

it('the README is short enough to be packed and read to its end, and leads to every document for users', () => {
	const text = read(README);
	expect(text.split('\n').length).toBeLessThanOrEqual(LONGEST_README_LINES);
	expect(Buffer.byteLength(text)).toBeLessThanOrEqual(LARGEST_README_BYTES);
	expect(OTHERS.filter((document) => !text.includes(`](${document})`))).toEqual([]);
});

describe('the documentation for users', () => {
	it('names every operation', () => {
		const labels = rowsOf(README, 'Operation', 'What it does').map(([label]) => label);
		expect(labels).toEqual(OPERATIONS.map(({ name }) => name));
	});

	const names = OPERATIONS.map(({ name }) => name);
	const [head, ...fieldRows] = tableWith(FIELDS, 'Field', 'Default', ...names);
	const usedMost = rowsOf(README, 'Field', 'Default', 'What it is for');
	const shown = listed(properties);
	const labels = [...new Set(shown.map(({ label }) => label))];

	/** The default as a table has to show it: one, or several that differ by operation. */
	function defaultOf(label: string): string | undefined {
		const [usual, ...others] = shown.filter((field) => field.label === label);
		const exceptions = others
			.filter(({ value }) => value !== usual.value)
			.map(({ value, operations }) => `; ${value} in ${operations.join(', ')}`);
		return usual && usual.value + exceptions.join('');
	}

	it('lists the fields that the node has and no others, where each is shown, and its default', () => {
		const actual = labels.map((label) => {
			const operations = shown.flatMap((field) => (field.label === label ? field.operations : []));
			const marks = names.map((name) => (operations.includes(name) ? '✓' : ''));
			return [label, defaultOf(label), ...marks];
		});
		const columns = ['Field', 'Default', ...names].map((name) => head.indexOf(name));
		const documented = fieldRows.map((row) => columns.map((column) => plain(row[column])));
		expect(documented.sort()).toEqual(actual.sort());
	});

	it('has no field in the README that the node has not, and no other default', () => {
		expect(usedMost.length).toBeGreaterThan(5);
		for (const [label, value] of usedMost) {
			expect([label, value]).toEqual([label, defaultOf(label)]);
		}
	});

	it('gives the bounds of every number', () => {
		expect(rowsOf(FIELDS, 'Number', 'From', 'To')).toEqual(
			Object.values(NUMBERS).map(({ label, least, most }) => [label, String(least), String(most)]),
		);
	});

	it('names every service whose share pages are refused', () => {
		const source = read('nodes/shared/task/sharePage.ts');
		const services = [...source.matchAll(/^\t*\{?\s*name: '([^']+)'/gm)].map(([, name]) => name);
		expect(services.length).toBeGreaterThan(10);
		expect(services.filter((name) => !read(FIELDS).includes(name))).toEqual([]);
	});

	it.each(
		properties
			.filter(({ name, type }) => type === 'options' && !['resource', 'operation'].includes(name))
			.filter(isFirst),
	)('names every choice of $displayName', ({ displayName, options = [] }) => {
		const rows = [...fieldRows, ...usedMost].filter(([cell]) => plain(cell) === displayName);
		const choices = options.map(({ name }) => name.replace(/ \(.+\)$| Seconds$/, ''));
		expect(choices.length).toBeGreaterThan(1);
		expect(rows.length).toBeGreaterThan(0);
		const missing = rows.flatMap(([, , text]) =>
			choices.filter((name) => !new RegExp(`\\b${name}\\b`).test(plain(text))),
		);
		expect(missing).toEqual([]);
	});

	it.each<[string, RegExp, readonly string[]]>([
		['ratio', /\b\d+:\d+\b/g, models.MODELS.flatMap(({ aspectRatios }) => aspectRatios)],
		['resolution', /\b\d+p\b/g, models.MODELS.flatMap(({ resolutions }) => resolutions)],
	])('speaks of no %s that a request cannot have', (_what, pattern, allowed) => {
		expect((everything.match(pattern) ?? []).filter((one) => !allowed.includes(one))).toEqual([]);
	});

	it.each([
		['trigger', CALLBACKS, 'Field of the trigger', trigger.properties],
		['credential', README, 'What to enter', CREDENTIAL.properties],
	])('lists the fields of the %s with their defaults', (_what, document, column, fields) => {
		const actual = listed(fields.filter(({ type }) => type !== 'hidden'));
		expect(rowsOf(document, 'Default', column).map((row) => row.slice(0, 2))).toEqual(
			actual.map(({ label, value }) => [label, value]),
		);
	});

	it('explains every response of the trigger', () => {
		const source = read('nodes/shared/callback/respond.ts');
		const statuses = source.match(/status: ([\d |]+);/)?.[1].split(' | ');
		const rows = rowsOf(CALLBACKS, 'The trigger answers', 'When');
		expect(rows.map(([status]) => status)).toEqual(statuses);
	});

	it('gives all prices', () => {
		const { resolutions, durations } = models.DEFAULT_MODEL;
		const prices = resolutions.flatMap((resolution) =>
			durations.map((duration) => [
				resolution,
				`${duration} seconds`,
				...[false, true].map((audio) => String(creditsFor(resolution, duration, audio))),
			]),
		);
		const rows = rowsOf(MODELS, 'Resolution', 'Duration', 'Without audio', 'With audio');
		expect(prices).toHaveLength(6);
		expect(rows.sort()).toEqual(prices.sort());
		const others = models.MODELS.slice(1).flatMap((model) => {
			const resolutions = model.resolutions.length ? model.resolutions : [undefined];
			const references = model.maxReferenceVideos ? [0, 1] : [0];
			return resolutions.flatMap((resolution) =>
				references.map((referenceVideos) => {
					const name = [model.label, resolution, referenceVideos && 'with reference videos'];
					const costs = [5, 10, 15].map((duration) =>
						model.credits({ resolution, duration, generateAudio: false, referenceVideos }),
					);
					return [name.filter(Boolean).join(', '), ...costs.map(String)];
				}),
			);
		});
		expect(rowsOf(MODELS, 'Model', '5 seconds', '10 seconds', '15 seconds')).toEqual(others);
	});

	it('says of each model what it takes, what it costs and how long that takes', () => {
		const short = rowsOf(README, 'Model', 'Seconds', 'Credits', 'Usually takes');
		const long = rowsOf(MODELS, 'Model', 'Durations in seconds', 'Aspect ratio', 'Images');
		const words = { generateAudio: 'Generate Audio', fixedLens: 'Fixed Lens', public: 'Public' };
		const { length } = models.MODELS;
		expect([short, long].map((rows) => rows.length)).toEqual([length, length]);
		for (const [index, model] of models.MODELS.entries()) {
			const { durations } = model;
			const prices = models.pricesOf(model);
			const [label, seconds, ...costAndTime] = short[index];
			expect([label, ...costAndTime]).toEqual([
				model.label,
				`${prices[0]} to ${prices[prices.length - 1]}`,
				models.usualTimeOf(model),
			]);
			const documented = seconds.split(/, | or | to /).map(Number);
			const ends = [durations[0], durations[durations.length - 1]];
			expect([documented[0], documented[documented.length - 1]]).toEqual(ends);
			if (!seconds.includes(' to ')) expect(documented).toEqual(durations);
			const ofImage = model.hasRatioWithImage ? '' : '; that of the image, where there is one';
			expect(long[index]).toEqual([
				model.label,
				durations.join(', '),
				model.resolutions.join(', '),
				model.aspectRatios.join(', ') + ofImage,
				String(model.maxImages),
				String(model.maxReferenceVideos || 'none'),
				model.switches.map((name) => words[name]).join(', '),
			]);
		}
	});

	it('lists the fields of an item in their order', () => {
		const fields = rowsOf(README, 'Field', 'What it holds').map(([name]) => name);
		expect(fields).toEqual([...itemFields, 'error_code', 'charged']);
	});

	it('explains every failure, and whether it was charged in words that exist', () => {
		const [, ...rows] = tableWith(TROUBLESHOOTING, '`error_code`', '`charged`');
		expect(rows.map(([code]) => plain(code)).sort()).toEqual([...errorCodes].sort());
		for (const [, , charged] of rows) {
			const words = [...charged.matchAll(/`(\w+)`/g)].map(([, word]) => word);
			expect(words).not.toEqual([]);
			expect(chargedWords).toEqual(expect.arrayContaining(words));
		}
	});

	it('gives the limits of the code', () => {
		const seconds = (ms: number) => `${ms / 1000} seconds`;
		const minutes = (ms: number) => `${ms / 60_000} minutes`;
		const { POLL_INTERVAL_SECONDS: shortest, POLL_INTERVAL_MAX_SECONDS: longest } = pollInterval;
		// Those of the default model, and the one value that all others share.
		const timeouts = [...new Set(models.MODELS.map(({ timeoutMinutes }) => timeoutMinutes))];
		const images = [...new Set(models.MODELS.map(({ maxImages }) => maxImages))];
		const limits = [
			...[seconds(client.POST_TIMEOUT_MS), seconds(client.READ_TIMEOUT_MS)],
			...[POST_MAX_TRIES, POST_MAX_TRIES, seconds(RETRY_AFTER_MAX_MS)],
			...[READ_MAX_FAILURES, `from ${shortest} to ${longest}`, POLL_WINDOW_SECONDS],
			client.PARALLEL_READS,
			...[seconds(polling.NOT_FOUND_GRACE_MS), seconds(NO_VIDEO_GRACE_MS)],
			...[download.PARALLEL_DOWNLOADS, download.DOWNLOAD_MAX_TRIES, seconds(download.STALL_MS)],
			...[minutes(download.DOWNLOAD_LIMIT_MS), minutes(download.EXPIRED_AFTER_MS)],
			...timeouts,
			...[seconds(EXECUTION_RESERVE_MS), models.PROMPT_MAX_LENGTH],
			...images,
			...[CALLBACK_URL_MAX_LENGTH, METADATA_MAX_BYTES, seconds(EARLY_MS), seconds(10_000)],
			REMEMBERED_EVENTS,
		];
		expect(rowsOf(LIMITS, 'What', 'Value').map(([, value]) => value)).toEqual(limits.map(String));
		expect(DECIDE_WITHIN_MS).toBeLessThan(10_000);
	});

	it('shows the compatibility that the suite has found: every check, in every n8n, nothing that fails', () => {
		const [[, ...versions], ...rows] = tableWith(LIMITS, 'What was tried');
		const folders = readdirSync(join(ROOT, 'test/support/n8n'), { withFileTypes: true })
			.filter((entry) => entry.isDirectory())
			.map(({ name }) => `n8n ${name}`);
		expect([...versions].sort()).toEqual(folders.sort());

		const source = read('test/e2e/coreFlow.suite.cts');
		const checks = [...source.matchAll(/^\tcheck\(\s*(['"])(.+)\1,/gm)].map(([, , name]) => name);
		expect(checks.length).toBeGreaterThan(10);
		const gaps: Array<{ n8n: string; check: string }> = JSON.parse(read('test/compat/gaps.json'));
		const isGap = (name: string, version: string) =>
			gaps.some(({ n8n, check }) => check === name && `n8n ${n8n}` === version);
		const node = rows.pop() ?? [];
		expect(rows.map((row) => row.map((cell) => cell.replace(/^no .*/, 'no')))).toEqual(
			checks.map((name) => [name, ...versions.map((one) => (isGap(name, one) ? 'no' : '✓'))]),
		);
		expect(node[0]).toBe('Node that ran it');
		expect(node.slice(1).every((version) => parseInt(version, 10) >= 20)).toBe(true);
	});

	it('shows pictures that load fast, each in light and dark, those of all examples, and has no others', () => {
		const files = FOR_USERS.flatMap((document) =>
			[...read(document).matchAll(/srcset="([^"]+)"><img alt="[^"]+" src="([^"]+)"/g)].flatMap(
				([, dark, light]) => {
					expect(dark).toBe(light.replace('-light.png', '-dark.png'));
					return [dark, light].map((file) => posix.join(posix.dirname(document), file));
				},
			),
		);
		for (const file of files) {
			expect(statSync(join(ROOT, file)).size).toBeLessThan(LARGEST_IMAGE_BYTES);
		}
		const folder = '.github/images';
		const there = readdirSync(join(ROOT, folder)).map((name) => `${folder}/${name}`);
		expect([...new Set(files)].sort()).toEqual(there.sort());
		for (const file of [...readdirSync(join(ROOT, 'examples')), 'hand-built.json']) {
			expect(read(RECIPES)).toContain(`/example-${file.replace('.json', '')}-light.png"`);
		}
	});
});

describe('the output schemas', () => {
	const folder = 'nodes/Seedance/__schema__/v1.0.0/video';
	const codes = { error_code: { enum: errorCodes }, charged: { enum: chargedWords } };

	it('are there for every operation, where n8n looks for them, with the fields and words of an item', () => {
		const files = readdirSync(join(ROOT, folder)).sort();
		expect(files).toEqual(OPERATIONS.map(({ value }) => `${value}.json`).sort());
		expect(errorCodes).not.toEqual([]);
		for (const file of files.filter((name) => name !== 'estimateCost.json')) {
			const schema = readJson(`${folder}/${file}`);
			const required = expect.arrayContaining(itemFields);
			expect(schema).toMatchObject({ type: 'object', required });
			if (file !== 'getAll.json') expect(schema).toMatchObject({ properties: codes });
			for (const field of itemFields) expect(schema).toHaveProperty(['properties', field]);
		}
	});

	it('allow for an estimate of every model', () => {
		expect(readJson(`${folder}/estimateCost.json`)).toMatchObject({
			type: 'object',
			required: ['estimated_credits', 'model', 'resolution', 'duration', 'generate_audio'],
			properties: {
				model: { type: 'string' },
				resolution: { type: ['string', 'null'] },
				duration: { type: 'string' },
			},
		});
	});
});
