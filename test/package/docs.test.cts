/**
 * Every document: commands, files, links, labels in bold, words in code and numbers are those of the code. What the tables
 * for users say is compared in readme.test.cts.
 */
import { existsSync, readdirSync } from 'node:fs';
import { join, posix } from 'node:path';
import { EXPIRED_AFTER_MS } from '../../nodes/shared/api/download';
import { POLL_INTERVAL_MAX_SECONDS } from '../../nodes/shared/api/pollInterval';
import { READ_MAX_FAILURES } from '../../nodes/shared/api/retry';
import { METADATA_MAX_BYTES } from '../../nodes/shared/callback/signature';
import { EXECUTION_RESERVE_MS } from '../../nodes/shared/n8n/limit';
import { DEFAULT_MODEL, PROMPT_MAX_LENGTH } from '../../nodes/shared/task/models';
import { NO_VIDEO_GRACE_MS } from '../../nodes/shared/task/task';
import { creditsFor } from '../support/prices';
import { anchorsOf, filesUnder, read, readManifest, ROOT } from './packed.cjs';
import { LABELS } from './shown.cjs';

const manifest = readManifest();
const oldestNode = Number(/"node":">=([\d.]+)"/.exec(JSON.stringify(manifest))?.[1]);

/** The folders whose files a document may name, and the files beside them. */
const FOLDERS = ['nodes', 'credentials', 'icons', 'examples', 'test', 'docs', '.ci', '.github'];
const FILES = [...filesUnder(...FOLDERS), ...readdirSync(ROOT)];
const exists = (path: string) => existsSync(join(ROOT, path));

/** The sources of the product and of its equipment, in one text: where words in code have to come from. */
const SOURCES = FILES.filter((file) => /\.(ts|cts|mjs|cjs|js|json|yml|npmrc)$/.test(file))
	.filter((file) => !/package-lock|docs\.test|fixtures\/package/.test(file))
	.map(read)
	.join('\n');

/** Each document, with and without its blocks of code, which hold no Markdown. */
const documents = FILES.filter((file) =>
	/^(docs\/.+|README|CONTRIBUTING|AGENTS|SECURITY)\.md$/.test(file),
).map((document) => ({
	document,
	text: read(document),
	prose: read(document).replace(/^```[\s\S]*?^```$/gm, ''),
}));

/** Words of n8n, of npm and of the web, and bold words that are stressed and name nothing. */
const WORDS: Record<'labelsOfN8n' | 'stressed' | 'codeOfOthers', string[]> = JSON.parse(
	read('test/fixtures/package/words.json'),
);

/** What a document may set in bold: what a reader finds on the screen under that name. */
const FINDABLE = new Set([...LABELS, ...WORDS.labelsOfN8n, ...WORDS.stressed]);

describe.each(documents)('$document', ({ document, text, prose }) => {
	it('names only commands that exist', () => {
		const commands = [...text.matchAll(/\bnpm (?:run ([\w:]+)|(test)\b)/g)];
		const missing = commands.filter(([, run, test]) => !((run ?? test) in manifest.scripts));
		expect(missing).toEqual([]);
	});

	it('links to files and headings that exist', () => {
		const links = [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link]) => link);
		const broken = links
			.filter((link) => !link.startsWith('https://'))
			.filter((link) => {
				const [path, anchor] = link.split('#');
				const target = path === '' ? document : posix.join(posix.dirname(document), path);
				return !exists(target) || (anchor && !anchorsOf(read(target)).includes(anchor));
			});
		expect(links).not.toEqual([]);
		expect(broken).toEqual([]);
	});

	it('names only files and folders that exist, in its drawings too', () => {
		const named = [...text.matchAll(/(?<![\w./:@-])(\.?[\w-]+\/[\w./{},-]*\w)\b/g)]
			.map(([, path]) => path)
			.filter((path) => FOLDERS.includes(path.split('/')[0]));
		expect(named.filter((path) => !exists(path))).toEqual([]);
		const short = text.matchAll(/(?<![\w/.-])([\w-]+\.(?:(?:suite|test)\.)?(?:c?ts|mjs|cjs))\b/g);
		const isThere = (name: string) =>
			FILES.some((file) => file === name || file.endsWith(`/${name}`));
		expect([...short].filter(([, name]) => !isThere(name))).toEqual([]);
	});

	it('sets in bold what a reader can find under that name, but for the beginning of a line', () => {
		const isStart = (at: number) => /(^|\n)([ >]*)(\d+\. |- |\| )?$/.test(prose.slice(0, at));
		const unknown = [...prose.matchAll(/\*\*(.+?)\*\*/g)]
			.filter(({ index }) => !isStart(index))
			.flatMap(([, words]) => words.split(' → '))
			.filter((label) => !FINDABLE.has(label));
		expect(unknown).toEqual([]);
	});

	it('shows as code only what is in the code, or is a file', () => {
		const isOurs = (code: string) =>
			WORDS.codeOfOthers.includes(code) ||
			SOURCES.includes(code) ||
			exists(code) ||
			FILES.some((file) => file.endsWith(code));
		// A command, an expression or a part of JSON is read word by word; <…> stands for something.
		const words = [...prose.matchAll(/`([^`\n]+)`/g)]
			.filter(([, code]) => !isOurs(code))
			.flatMap(([, code]) => code.split(/[\s{}",:()[\]=?']+|…|<\w+>|\/$/))
			.map((word) => word.replace(/^--/, ''))
			.filter((word) => /\w/.test(word) && !/[<>]/.test(word));
		expect(words.filter((word) => !isOurs(word))).toEqual([]);
	});
});

it('README.md links every example, and the recipes give the address of each for From URL, in one repository', () => {
	const examples = readdirSync(join(ROOT, 'examples'));
	expect(examples).not.toEqual([]);
	expect(examples.filter((name) => !read('README.md').includes(`](examples/${name})`))).toEqual([]);
	const [, repository] = /github\.com\/(.+)\.git/.exec(JSON.stringify(manifest.repository)) ?? [];
	const base = `https://raw.githubusercontent.com/${repository}/HEAD/`;
	const addressesIn = (document: string) =>
		[...read(document).matchAll(/https:\/\/raw\.[^\s)]+/g)].map(([address]) => address);
	const recipes = addressesIn('docs/recipes.md');
	expect(recipes.sort()).toEqual(examples.map((name) => `${base}examples/${name}`).sort());
	expect(addressesIn('README.md')).toEqual([`${base}examples/text-to-video.json`]);
});

it.each([
	[/at most (\d+) characters/g, PROMPT_MAX_LENGTH],
	[/at most (\d+) bytes/g, METADATA_MAX_BYTES],
	[/Timeout\*\*, (\d+) minutes/g, DEFAULT_MODEL.timeoutMinutes],
	[/video is older than (\d+) minutes/g, EXPIRED_AFTER_MS / 60_000],
	[/It ends (\d+) seconds before/g, EXECUTION_RESERVE_MS / 1000],
	[/its last (\d+) readings/g, READ_MAX_FAILURES],
	[/again for (?:up to )?(\d+) seconds/g, NO_VIDEO_GRACE_MS / 1000],
	[/draft settings cost (\d+) credits/g, creditsFor('480p', 4, false)],
	[/Slows down to every (\d+) seconds/g, POLL_INTERVAL_MAX_SECONDS],
	[/Node (\d+\.\d+) or newer/g, oldestNode],
])('the sentences with %s give the number of the code', (pattern, value) => {
	const everything = documents.map(({ prose }) => prose).join('\n');
	const found = [...everything.matchAll(pattern)].map(([, number]) => Number(number));
	expect(found).not.toEqual([]);
	expect(found.filter((number) => number !== value)).toEqual([]);
});
