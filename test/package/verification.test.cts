/**
 * n8n's guidelines and what n8n 3 changes: the lists name files and tests that exist, and the points that no other test
 * holds.
 */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { INodeProperties } from 'n8n-workflow';
import { unreadTaskItem } from '../../nodes/shared/task/taskItem';
import { filesUnder, read, ROOT } from './packed.cjs';
import { FIELDS, OPERATIONS } from './shown.cjs';

describe.each([
	['docs/verification.md', 20, false],
	['docs/n8n-3.md', 10, true],
])('the list of %s', (document, least, mayBeOpen) => {
	const rows = [...read(document).matchAll(/^\| (.+?) \| (.+) \|$/gm)]
		.map(([, point, met]) => ({ point, met }))
		.filter(({ point }) => !/^(What n8n asks|What changes in n8n 3|---)/.test(point));

	it('has rows', () => expect(rows.length).toBeGreaterThan(least));

	it.each(rows)('$point', ({ met }) => {
		if (mayBeOpen && met.endsWith('| Not run')) return;
		const paths = [...met.matchAll(/`([^`\n]+)`/g)]
			.map(([, code]) => code)
			.filter((code) => /[./]/.test(code) && !code.startsWith('npm '));
		expect(paths).not.toEqual([]);
		expect(paths.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
		// Each test is named behind its file: `test/….test.cts` "its name", "another".
		const tests = [...met.matchAll(/`(test\/[^`]+)`((?:(?:, | )"[^"]+")*)/g)].flatMap(
			([, file, names]) => [...names.matchAll(/"([^"]+)"/g)].map(([, name]) => ({ file, name })),
		);
		const missing = tests.filter(
			({ file, name }) => !["'", '`', '"'].some((q) => read(file).includes(q + name + q)),
		);
		expect(missing).toEqual([]);
	});
});

describe('the interface', () => {
	const placeholder = ({ type }: INodeProperties) =>
		/collection/i.test(type) ? /^Add / : /^e\.g\. /;
	it.each<[string, (field: INodeProperties) => boolean]>([
		[
			'describes every switch with Whether',
			({ type, description = '' }) => type !== 'boolean' || /^Whether /.test(description),
		],
		[
			'has placeholders that begin as n8n wants them',
			(field) => field.placeholder === undefined || placeholder(field).test(field.placeholder),
		],
	])('%s', (_what, holds) => {
		expect(FIELDS.some(({ field }) => field.type === 'boolean')).toBe(true);
		expect(FIELDS.filter(({ field }) => !holds(field)).map(({ labels }) => labels)).toEqual([]);
	});

	it.each(OPERATIONS)(
		'has operations in Title Case with an action in sentence case: $name',
		({ name, action, description }) => {
			const small = /^(and|or|for|the|a|an|in|of|on|to|with)$/;
			expect(name.split(' ').filter((word) => !/^[A-Z]/.test(word) && !small.test(word))).toEqual(
				[],
			);
			expect(action).toMatch(/^[A-Z][a-z]*( [a-z]+)*$/);
			expect(description).toMatch(/^[A-Z].*[^.]$/);
		},
	);

	it('gives at most twelve fields when it simplifies', () => {
		const item = unreadTaskItem({
			taskId: null,
			model: null,
			prompt: null,
			estimatedCredits: null,
		});
		expect(Object.keys(item).length).toBeLessThanOrEqual(12);
	});

	it('is in English alone', () => {
		const texts = filesUnder('nodes', 'credentials', 'docs', 'examples', '.github/workflows')
			.concat(filesUnder('.github/ISSUE_TEMPLATE'))
			.concat(readdirSync(ROOT).filter((file) => /\.(md|json)$/.test(file)));
		// Letters that no English word has: other scripts, umlauts, accents.
		expect(texts.filter((file) => /(?![A-Za-z])\p{L}/u.test(read(file)))).toEqual([]);
	});
});

it('the tool of n8n has a node-cli that knows provenance', () => {
	const [, major, minor] = /"@n8n\/node-cli": "(\d+)\.(\d+)/.exec(read('package.json')) ?? [];
	expect(Number(major) > 0 || Number(minor) >= 23).toBe(true);
});
