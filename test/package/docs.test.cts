/**
 * Every document: commands, files, links, labels in bold, words in code and numbers are those of the code. What the tables
 * for users say is compared in readme.test.cts.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import type { INodeProperties } from 'n8n-workflow';

import { SeedanceApi } from '../../credentials/SeedanceApi.credentials';
import { Seedance } from '../../nodes/Seedance/Seedance.node';
import { READ_MAX_FAILURES } from '../../nodes/shared/api/retry';

import { METADATA_MAX_BYTES } from '../../nodes/shared/callback/signature';
import { EXPIRED_AFTER_MS } from '../../nodes/shared/api/download';
import { EXECUTION_RESERVE_MS } from '../../nodes/shared/n8n/limit';
import { creditsFor, PROMPT_MAX_LENGTH } from '../../nodes/shared/task/models';
import { NO_VIDEO_GRACE_MS } from '../../nodes/shared/task/task';

import { POLL_INTERVAL_MAX_SECONDS, TIMEOUT_MINUTES } from '../../nodes/shared/api/polling';
import { SeedanceTrigger } from '../../nodes/SeedanceTrigger/SeedanceTrigger.node';
import { filesIn, readJson, ROOT } from './packed.cjs';

const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');

const DOCUMENTS = [
	'README.md',
	'CONTRIBUTING.md',
	...readdirSync(join(ROOT, 'docs')).map((name) => `docs/${name}`),
];

/** The folders whose files a document may name, and the files beside them. */
const FOLDERS = ['nodes', 'credentials', 'icons', 'examples', 'test', 'docs', '.ci', '.github'];
const FILES = FOLDERS.flatMap((folder) =>
	filesIn(join(ROOT, folder)).map((name) => `${folder}/${name}`),
).concat(readdirSync(join(ROOT)));

/** The sources of the product and of its equipment, in one text: where words in code have to come from. */
const SOURCES = FILES.filter((file) => /\.(ts|cts|mjs|cjs|js|json|yml|npmrc)$/.test(file))
	.filter((file) => !file.includes('package-lock') && !file.endsWith('docs.test.cts'))
	.map(read)
	.join('\n');

const manifest = readJson(join(ROOT, 'package.json'));
const oldestNode = Number(/"node":">=([\d.]+)"/.exec(JSON.stringify(manifest))?.[1]);

/** A document without its blocks of code, which hold no Markdown. */
const prose = (text: string) => text.replace(/^```[\s\S]*?^```$/gm, '');

/** As GitHub makes them out of headings. */
const anchorsOf = (text: string) =>
	[...prose(text).matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
		heading
			.toLowerCase()
			.replace(/[^\w\s-]/g, '')
			.replace(/\s/g, '-'),
	);

function labelsIn(properties: readonly INodeProperties[]): string[] {
	return properties.flatMap(({ displayName, options = [] }) => [
		displayName,
		...options.flatMap((option) => {
			if ('values' in option) return [option.displayName, ...labelsIn(option.values)];
			if ('type' in option) return labelsIn([option]);
			const { name, action } = { action: undefined, ...option };
			return action === undefined ? [name] : [name, action];
		}),
	]);
}

const ours = [new Seedance(), new SeedanceTrigger()].map(({ description }) => description);

/** What a document may set in bold: what a reader finds on the screen under that name. */
const LABELS = new Set([
	...ours.flatMap(({ displayName, properties }) => [displayName, ...labelsIn(properties)]),
	new SeedanceApi().displayName,
	...labelsIn(new SeedanceApi().properties),
	// n8n's own.
	...['Settings', 'Community nodes', 'Install', '⋯', 'Import', 'From file', 'Execute workflow'],
	...['Execute step', 'Production URL', 'Test URL', 'Pin', 'Stop', 'Retry', 'Retry On Fail'],
	...['On Error', 'Stop Workflow', 'Continue', 'Continue (using error output)', 'Executions'],
	...['Publish', 'Publish access', 'Trusted Publishers', 'GitHub Actions', 'Creator Portal'],
	...['AI Agent', 'Create New Credential', 'Save', 'Test', 'Credential', 'Output', 'Options'],
	...['Retry with currently saved workflow', 'Highlighted data', 'Overview', 'Data tables'],
]);

/** Bold words inside a sentence that are stressed, not named. */
const STRESSED = new Set([
	'seedanceapi.org',
	'Timeout',
	'before',
	'failed',
	'crash',
	'new run',
	'in the node',
	'of that account',
]);

/** Words of n8n, of npm and of the web that documents show as code and that stand in none of our files. */
const FOREIGN_WORDS = new Set(['help', 'testPathPatterns', 'data:image/…']);

describe.each(DOCUMENTS)('%s', (document) => {
	const text = read(document);
	const body = prose(text);
	const codes = [...body.matchAll(/`([^`\n]+)`/g)].map(([, code]) => code);

	it('names only commands that exist', () => {
		const commands = [...text.matchAll(/\bnpm (?:run ([\w:]+)|(test)\b)/g)].map(
			([, run, test]) => run ?? test,
		);
		expect(commands).not.toEqual([]);
		for (const command of commands) expect(manifest).toHaveProperty(['scripts', command]);
	});

	it('links to files and headings that exist', () => {
		const links = [...body.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link]) => link);
		const broken = links.filter((link) => {
			if (link.startsWith('https://')) return false;
			const [path, anchor] = link.split('#');
			const target = path === '' ? document : posix.join(posix.dirname(document), path);
			if (!existsSync(join(ROOT, target))) return true;
			return anchor !== undefined && !anchorsOf(read(target)).includes(anchor);
		});
		expect(links).not.toEqual([]);
		expect(broken).toEqual([]);
	});

	it('names only files and folders that exist, in its drawings too', () => {
		const named = [...text.matchAll(/(?<![\w./:@-])(\.?[\w-]+\/[\w./{},-]*\w)\b/g)]
			.map(([, path]) => path)
			.filter((path) => FOLDERS.includes(path.split('/')[0]));
		expect(named.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
		const short = [
			...text.matchAll(/(?<![\w/.-])([\w-]+\.(?:(?:suite|test)\.)?(?:c?ts|mjs|cjs))\b/g),
		].map(([, name]) => name);
		expect(
			short.filter((name) => !FILES.some((file) => file === name || file.endsWith(`/${name}`))),
		).toEqual([]);
	});

	it('sets in bold what a reader can find under that name, but for the beginning of a line', () => {
		const isStart = (at: number) => /(^|\n)([ >]*)(\d+\. |- |\| )?$/.test(body.slice(0, at));
		const unknown = [...body.matchAll(/\*\*(.+?)\*\*/g)]
			.filter(({ index }) => !isStart(index))
			.flatMap(([, words]) => words.split(' → '))
			.filter((label) => !LABELS.has(label) && !STRESSED.has(label));
		expect(unknown).toEqual([]);
	});

	it('shows as code only what is in the code, or is a file', () => {
		const known = (code: string) =>
			FOREIGN_WORDS.has(code) ||
			SOURCES.includes(code) ||
			existsSync(join(ROOT, code)) ||
			FILES.some((file) => file.endsWith(code));
		// A command, an expression or a part of JSON is looked at word by word; <…> stands for something.
		const words = codes.flatMap((code) =>
			known(code)
				? []
				: code
						.split(/[\s{}",:()[\]=?']+|…|<\w+>|\/$/)
						.map((word) => word.replace(/^--/, ''))
						.filter((word) => /\w/.test(word) && !/[<>]/.test(word)),
		);
		expect(words.filter((word) => !known(word))).toEqual([]);
	});
});

it('README.md links every example', () => {
	const examples = readdirSync(join(ROOT, 'examples'));
	expect(examples).not.toEqual([]);
	expect(examples.filter((name) => !read('README.md').includes(`](examples/${name})`))).toEqual([]);
});

describe('the numbers in the sentences', () => {
	const everything = DOCUMENTS.map(read).map(prose).join('\n');

	it.each([
		[/at most (\d+) characters/g, PROMPT_MAX_LENGTH],
		[/at most (\d+) bytes/g, METADATA_MAX_BYTES],
		[/Timeout\*\*, (\d+) minutes/g, TIMEOUT_MINUTES],
		[/video is older than (\d+) minutes/g, EXPIRED_AFTER_MS / 60_000],
		[/It ends (\d+) seconds before/g, EXECUTION_RESERVE_MS / 1000],
		[/its last (\d+) readings/g, READ_MAX_FAILURES],
		[/again for (?:up to )?(\d+) seconds/g, NO_VIDEO_GRACE_MS / 1000],
		[/draft settings cost (\d+) credits/g, creditsFor('480p', '4', false)],
		[/Slows down to every (\d+) seconds/g, POLL_INTERVAL_MAX_SECONDS],
		[/Node (\d+\.\d+) or newer/g, oldestNode],
	])('%s', (pattern, value) => {
		const found = [...everything.matchAll(pattern)].map(([, number]) => Number(number));
		expect(found).not.toEqual([]);
		expect(found.filter((number) => number !== value)).toEqual([]);
	});
});
