/**
 * The tables and pictures of the documents for users say what the code does: every operation, field, price, failure and
 * limit. Their sentences are compared in docs.test.cts.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, posix } from 'node:path';
import type { INodeProperties } from 'n8n-workflow';
import ts from 'typescript';
import { SeedanceApi } from '../../credentials/SeedanceApi.credentials';
import { NUMBERS } from '../../nodes/Seedance/description/numbers';
import { Seedance } from '../../nodes/Seedance/Seedance.node';
import { DECIDE_WITHIN_MS, EARLY_MS } from '../../nodes/shared/callback/confirmTask';
import { REMEMBERED_EVENTS } from '../../nodes/SeedanceTrigger/deduplication';
import { SeedanceTrigger } from '../../nodes/SeedanceTrigger/SeedanceTrigger.node';
import {
	PARALLEL_READS,
	POST_MAX_TRIES,
	POST_TIMEOUT_MS,
	READ_MAX_FAILURES,
	READ_TIMEOUT_MS,
} from '../../nodes/shared/api/client';
import { RETRY_AFTER_MAX_MS } from '../../nodes/shared/api/brake';
import { CALLBACK_URL_MAX_LENGTH, METADATA_MAX_BYTES } from '../../nodes/shared/callback/signature';
import {
	DOWNLOAD_LIMIT_MS,
	DOWNLOAD_MAX_TRIES,
	EXPIRED_AFTER_MS,
	PARALLEL_DOWNLOADS,
	STALL_MS,
} from '../../nodes/shared/api/download';
import { EXECUTION_RESERVE_MS } from '../../nodes/shared/n8n/limit';
import { creditsFor } from '../../nodes/shared/task/models';
import { NO_VIDEO_GRACE_MS, unreadTaskItem } from '../../nodes/shared/task/task';
import {
	ASPECT_RATIOS,
	DURATIONS,
	PROMPT_MAX_LENGTH,
	RESOLUTIONS,
} from '../../nodes/shared/task/request';
import {
	NOT_FOUND_GRACE_MS,
	POLL_INTERVAL_MAX_SECONDS,
	POLL_INTERVAL_SECONDS,
	TIMEOUT_MINUTES,
} from '../../nodes/shared/api/polling';
import { readJson, ROOT } from './packed.cjs';

const LARGEST_IMAGE_BYTES = 300_000;

/** npm packs the README with the code, and people read it to its end: what is longer belongs into docs. */
const LONGEST_README_LINES = 220;
const LARGEST_README_BYTES = 16_000;

const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');
const README = 'README.md';
const FIELDS = 'docs/fields.md';
const CALLBACKS = 'docs/callbacks.md';
const LIMITS = 'docs/limits-and-compatibility.md';
const RECIPES = 'docs/recipes.md';
/** What a user reads, and so no document for maintainers. */
const FOR_USERS = [
	README,
	FIELDS,
	CALLBACKS,
	LIMITS,
	RECIPES,
	'docs/retry-and-crash.md',
	'docs/troubleshooting.md',
];
const everything = FOR_USERS.map(read).join('\n');
const { properties } = new Seedance().description;
const trigger = new SeedanceTrigger().description;

/** The rows of the table in a document that has these words in its head; each row a list of cells. */
function tableWith(document: string, ...words: string[]): string[][] {
	const tables = read(document).match(/(?:^\|.*\|\n)+/gm) ?? [];
	const [head, , ...rows] = (
		tables.find((table) => isHead(cellsOf(table.split('\n')[0]), words)) ?? ''
	)
		.trim()
		.split('\n')
		.map(cellsOf);
	if (!head) throw new Error(`${document} has no table with the columns ${words.join(', ')}.`);
	return [head, ...rows];
}

const isHead = (cells: string[], words: string[]) => words.every((word) => cells.includes(word));

function cellsOf(line: string): string[] {
	return line
		.split('|')
		.slice(1, -1)
		.map((cell) => cell.trim());
}

/** Labels in bold and values in code, without the marks. */
const plain = (text: string) => text.replace(/\*\*|`/g, '');

const operations = (properties.find(({ name }) => name === 'operation')?.options ?? []).flatMap(
	(option) => ('value' in option ? [{ label: option.name, value: String(option.value) }] : []),
);

/** The operations that show a field, by their labels. */
function shownIn({ displayOptions }: INodeProperties): string[] {
	const shown: unknown[] = displayOptions?.show?.operation ?? [];
	return operations.filter(({ value }) => shown.includes(value)).map(({ label }) => label);
}

/** A default as the documents write it. */
function written(field: INodeProperties): string {
	const { default: value, options = [] } = field;
	if (typeof value === 'boolean') return value ? 'on' : 'off';
	if (Array.isArray(value))
		return value.map((one) => written({ ...field, default: one })).join(', ');
	if (typeof value === 'object') return '';
	const chosen = options.find((option) => 'value' in option && option.value === value);
	return chosen?.name ?? String(value).replace(/^=/, '');
}

interface Field {
	label: string;
	operations: string[];
	/** One, or several that differ by operation. */
	defaults: Array<{ written: string; operations: string[] }>;
}

function entriesOf(property: INodeProperties): Array<[string, INodeProperties, string[]]> {
	const where = shownIn(property);
	if (property.name !== 'options') return [[property.displayName, property, where]];
	return (property.options ?? []).flatMap((option): Array<[string, INodeProperties, string[]]> => {
		if (!('type' in option)) return [];
		const label = `Options → ${option.displayName}`;
		if (option.type !== 'fixedCollection') return [[label, option, where]];
		return (option.options ?? [])
			.flatMap((group) => ('values' in group ? group.values : []))
			.map((inner) => [`${label} → ${inner.displayName}`, inner, where]);
	});
}

/** Every field below the operation, the ones of the same name put together. */
function fieldsOfTheNode(): Field[] {
	const fields = new Map<string, Field>();
	const below = properties.filter(
		({ name, type }) => type !== 'notice' && !['resource', 'operation'].includes(name),
	);
	for (const [label, property, where] of below.flatMap(entriesOf)) {
		const field = fields.get(label) ?? { label, operations: [], defaults: [] };
		field.operations = operations
			.map((one) => one.label)
			.filter((one) => field.operations.includes(one) || where.includes(one));
		field.defaults.push({ written: written(property), operations: where });
		fields.set(label, field);
	}
	return [...fields.values()];
}

/** The texts of a type that is a union of texts, in the order of the source. */
function textsOfType(file: string, name: string): string[] {
	const source = ts.createSourceFile(file, read(file), ts.ScriptTarget.Latest, true);
	const alias = source.statements
		.filter(ts.isTypeAliasDeclaration)
		.find((one) => one.name.text === name);
	if (!alias || !ts.isUnionTypeNode(alias.type)) throw new Error(`${file} has no union ${name}.`);
	return alias.type.types.flatMap((one) =>
		ts.isLiteralTypeNode(one) && ts.isStringLiteral(one.literal) ? [one.literal.text] : [],
	);
}

const ERRORS = 'nodes/shared/task/errors.ts';
const errorCodes = textsOfType(ERRORS, 'ErrorCode');
const chargedWords = textsOfType(ERRORS, 'Charged');
const itemFields = Object.keys(
	unreadTaskItem({ taskId: null, prompt: null, estimatedCredits: null }),
);

describe('the README', () => {
	it('is short enough to be read to its end, and to be packed', () => {
		const text = read(README);
		expect(text.split('\n').length).toBeLessThanOrEqual(LONGEST_README_LINES);
		expect(Buffer.byteLength(text)).toBeLessThanOrEqual(LARGEST_README_BYTES);
	});

	it('leads to every document for users', () => {
		const others = FOR_USERS.filter((document) => document !== README);
		expect(others.filter((document) => !read(README).includes(`](${document})`))).toEqual([]);
	});
});

describe('the documentation for users', () => {
	it('names every operation', () => {
		const [, ...rows] = tableWith(README, 'Operation', 'What it does');
		expect(rows.map(([label]) => plain(label))).toEqual(operations.map(({ label }) => label));
	});

	const [head, ...fieldRows] = tableWith(
		FIELDS,
		'Field',
		'Default',
		...operations.map(({ label }) => label),
	);
	const fields = fieldsOfTheNode();

	it('lists the fields that the node has, and no others', () => {
		expect(fieldRows.map(([label]) => plain(label)).sort()).toEqual(
			fields.map(({ label }) => label).sort(),
		);
	});

	/** The default of a field as a table has to show it. */
	function defaultOf({ defaults: [usual, ...others] }: Field): string {
		const differing = others.filter((one) => one.written !== usual.written);
		const exceptions = differing.map((one) => `; ${one.written} in ${one.operations.join(', ')}`);
		return usual.written + exceptions.join('');
	}

	it.each(fields)('tells where $label is shown, and its default', (field) => {
		const row = fieldRows.find(([cell]) => plain(cell) === field.label) ?? [];
		expect(head.filter((_, column) => row[column] === '✓')).toEqual(field.operations);
		expect(plain(row[1] ?? '')).toBe(defaultOf(field));
	});

	const [, ...usedMost] = tableWith(README, 'Field', 'Default', 'What it is for');

	it('has no field in the README that the node has not, and no other default', () => {
		expect(usedMost.length).toBeGreaterThan(5);
		const labels = usedMost.map(([label]) => plain(label));
		const known = fields.filter(({ label }) => labels.includes(label));
		expect(usedMost.map(([label, value]) => [plain(label), plain(value)]).sort()).toEqual(
			known.map((field) => [field.label, defaultOf(field)]).sort(),
		);
	});

	it('gives the bounds of every number', () => {
		const [, ...rows] = tableWith(FIELDS, 'Number', 'From', 'To');
		expect(rows.map(([label, ...bounds]) => [plain(label), ...bounds])).toEqual(
			Object.values(NUMBERS).map(({ label, least, most }) => [label, String(least), String(most)]),
		);
	});

	it('names every service whose share pages are refused', () => {
		const services = [
			...read('nodes/shared/task/sharePage.ts').matchAll(/^\t*\{?\s*name: '([^']+)'/gm),
		];
		expect(services.length).toBeGreaterThan(10);
		const text = read(FIELDS);
		expect(services.map(([, name]) => name).filter((name) => !text.includes(name))).toEqual([]);
	});

	const choices = properties.filter(
		({ name, type }) => type === 'options' && !['resource', 'operation'].includes(name),
	);
	it.each(choices)('names every choice of $displayName', ({ displayName, options = [] }) => {
		const tables = [fieldRows, usedMost].flatMap((rows) =>
			rows.filter(([cell]) => plain(cell) === displayName),
		);
		const names = options.flatMap((option) =>
			'value' in option ? [option.name.replace(/ \(.+\)$| Seconds$/, '')] : [],
		);
		expect(names.length).toBeGreaterThan(1);
		expect(tables.length).toBeGreaterThan(0);
		for (const row of tables) {
			expect(names.filter((name) => !new RegExp(`\\b${name}\\b`).test(plain(row[2])))).toEqual([]);
		}
	});

	it('speaks of no ratio and no resolution that a request cannot have', () => {
		const ratios: readonly string[] = ASPECT_RATIOS;
		const resolutions: readonly string[] = RESOLUTIONS;
		const named = (pattern: RegExp) => [...everything.matchAll(pattern)].map(([text]) => text);
		expect(named(/\b\d+:\d+\b/g).filter((ratio) => !ratios.includes(ratio))).toEqual([]);
		expect(named(/\b\d+p\b/g).filter((one) => !resolutions.includes(one))).toEqual([]);
	});

	it('lists the fields of the trigger with their defaults', () => {
		const [, ...rows] = tableWith(CALLBACKS, 'Field of the trigger', 'Default');
		const shown = trigger.properties.filter(({ type }) => type !== 'notice').flatMap(entriesOf);
		expect(rows.map(([label, value]) => [plain(label), plain(value)])).toEqual(
			shown.map(([label, field]) => [label, written(field)]),
		);
	});

	it('explains every answer of the trigger', () => {
		const [, ...rows] = tableWith(CALLBACKS, 'The trigger answers', 'When');
		const statuses =
			read('nodes/shared/callback/respond.ts').match(/status: ([\d |]+);/)?.[1] ?? '';
		expect(rows.map(([status]) => plain(status))).toEqual(statuses.split(' | '));
	});

	it('lists the fields of the credential with their defaults', () => {
		const [, ...rows] = tableWith(README, 'Field', 'Default', 'What to enter');
		expect(rows.map(([label, value]) => [plain(label), plain(value)])).toEqual(
			new SeedanceApi().properties
				.filter(({ type }) => type !== 'hidden')
				.map((field) => [field.displayName, String(field.default)]),
		);
	});

	it('gives all prices', () => {
		const [, ...rows] = tableWith(README, 'Resolution', 'Duration', 'Without audio', 'With audio');
		const prices = [...RESOLUTIONS].flatMap((resolution) =>
			DURATIONS.map((duration) => [
				resolution,
				`${duration} seconds`,
				String(creditsFor(resolution, duration, false)),
				String(creditsFor(resolution, duration, true)),
			]),
		);
		expect(prices).toHaveLength(6);
		expect(rows.map((row) => row.join()).sort()).toEqual(prices.map((row) => row.join()).sort());
	});

	it('lists the fields of an item in their order', () => {
		const [, ...rows] = tableWith(README, 'Field', 'What it holds');
		expect(rows.map(([name]) => plain(name))).toEqual([...itemFields, 'error_code', 'charged']);
	});

	it('explains every failure, and whether it was charged in words that exist', () => {
		const [, ...rows] = tableWith(README, '`error_code`', '`charged`');
		expect(rows.map(([code]) => plain(code)).sort()).toEqual([...errorCodes].sort());
		for (const [, , charged] of rows) {
			const words = [...charged.matchAll(/`(\w+)`/g)].map(([, word]) => word);
			expect(words).not.toEqual([]);
			expect(chargedWords).toEqual(expect.arrayContaining(words));
		}
	});

	it('gives the limits of the code', () => {
		const [, ...rows] = tableWith(LIMITS, 'What', 'Value');
		expect(rows.map(([, value]) => value)).toEqual([
			`${POST_TIMEOUT_MS / 1000} seconds`,
			`${READ_TIMEOUT_MS / 1000} seconds`,
			String(POST_MAX_TRIES),
			String(POST_MAX_TRIES),
			`${RETRY_AFTER_MAX_MS / 1000} seconds`,
			String(READ_MAX_FAILURES),
			`from ${POLL_INTERVAL_SECONDS} to ${POLL_INTERVAL_MAX_SECONDS}`,
			String(PARALLEL_READS),
			`${NOT_FOUND_GRACE_MS / 1000} seconds`,
			`${NO_VIDEO_GRACE_MS / 1000} seconds`,
			String(PARALLEL_DOWNLOADS),
			String(DOWNLOAD_MAX_TRIES),
			`${STALL_MS / 1000} seconds`,
			`${DOWNLOAD_LIMIT_MS / 60_000} minutes`,
			`${EXPIRED_AFTER_MS / 60_000} minutes`,
			String(TIMEOUT_MINUTES),
			`${EXECUTION_RESERVE_MS / 1000} seconds`,
			String(PROMPT_MAX_LENGTH),
			'1',
			String(CALLBACK_URL_MAX_LENGTH),
			String(METADATA_MAX_BYTES),
			`${EARLY_MS / 1000} seconds`,
			'10 seconds',
			String(REMEMBERED_EVENTS),
		]);
		expect(DECIDE_WITHIN_MS).toBeLessThan(10_000);
	});

	it('shows the compatibility that the suite has found: every check, in every n8n, nothing that fails', () => {
		const [[, ...versions], ...rows] = tableWith(LIMITS, 'What was tried');
		const folders = readdirSync(join(ROOT, 'test/support/n8n'), { withFileTypes: true })
			.filter((entry) => entry.isDirectory())
			.map(({ name }) => `n8n ${name}`);
		expect([...versions].sort()).toEqual(folders.sort());

		const checks = [
			...read('test/e2e/coreFlow.suite.cts').matchAll(/^\tcheck\(\s*(['"])(.+)\1,/gm),
		];
		expect(checks.length).toBeGreaterThan(10);
		expect(rows.map(([name]) => name)).toEqual([
			...checks.map(([, , name]) => name),
			'Node that ran it',
		]);

		const gaps = readJson(join(ROOT, 'test/compat/gaps.json'));
		const isGap = (check: string, version: string) =>
			Array.isArray(gaps) &&
			gaps.some((gap) => gap.check === check && `n8n ${gap.n8n}` === version);
		for (const [name, ...cells] of rows.slice(0, -1)) {
			expect([name, ...cells.map((cell) => (cell.startsWith('no ') ? 'no' : cell))]).toEqual([
				name,
				...versions.map((version) => (isGap(name, version) ? 'no' : '✓')),
			]);
		}
		const majors = rows
			.at(-1)
			?.slice(1)
			.map((node) => Number(node.split('.')[0]));
		expect(majors?.every((major) => major >= 20)).toBe(true);
	});

	it('shows pictures that load fast, each in light and dark, and has no others', () => {
		const folder = '.github/images';
		const names = FOR_USERS.flatMap((document) =>
			[...read(document).matchAll(/srcset="([^"]+)"><img alt="[^"]+" src="([^"]+)"/g)].flatMap(
				([, dark, light]) => {
					expect(dark).toBe(light.replace('-light.png', '-dark.png'));
					return [dark, light].map((file) => posix.join(posix.dirname(document), file));
				},
			),
		);
		for (const file of names) {
			expect(statSync(join(ROOT, file)).size).toBeLessThan(LARGEST_IMAGE_BYTES);
		}
		const there = readdirSync(join(ROOT, folder)).map((name) => `${folder}/${name}`);
		expect([...new Set(names)].sort()).toEqual(there.sort());
	});

	it('shows a picture of every example, and the six nodes beside the one', () => {
		for (const file of [...readdirSync(join(ROOT, 'examples')), 'hand-built.json']) {
			expect(read(RECIPES)).toContain(`/example-${file.replace('.json', '')}-light.png"`);
		}
	});
});

describe('the output schemas', () => {
	const folder = 'nodes/Seedance/__schema__/v1.0.0/video';
	const schemaOf = (operation: string) => readJson(join(ROOT, folder, `${operation}.json`));

	it('are there for every operation, where n8n looks for them', () => {
		expect(readdirSync(join(ROOT, folder)).sort()).toEqual(
			operations.map(({ value }) => `${value}.json`).sort(),
		);
	});

	it.each(['generateAndWait', 'generate', 'status', 'wait'])(
		'have the fields of an item for %s',
		(operation) => {
			const schema = schemaOf(operation);
			expect(schema).toMatchObject({ type: 'object', required: itemFields });
			expect(schema).toHaveProperty('properties.error_code.enum', errorCodes);
			expect(schema).toHaveProperty('properties.charged.enum', chargedWords);
			for (const field of itemFields) expect(schema).toHaveProperty(['properties', field]);
		},
	);

	it('allow for an estimate what a request may hold', () => {
		expect(schemaOf('estimateCost')).toMatchObject({
			required: ['estimated_credits', 'resolution', 'duration', 'generate_audio'],
			properties: { resolution: { enum: [...RESOLUTIONS] }, duration: { enum: [...DURATIONS] } },
		});
	});
});
