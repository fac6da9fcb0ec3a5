/** n8n's guidelines: the checklist names files and tests that exist, and the points that no other test holds. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { INodeProperties } from 'n8n-workflow';

import { SeedanceApi } from '../../credentials/SeedanceApi.credentials';
import { Seedance } from '../../nodes/Seedance/Seedance.node';
import { unreadTaskItem } from '../../nodes/shared/task/task';
import { SeedanceTrigger } from '../../nodes/SeedanceTrigger/SeedanceTrigger.node';
import { filesIn, readJson, ROOT } from './packed.cjs';

const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');

describe('the checklist', () => {
	const checklist = read('docs/verification.md');
	const rows = [...checklist.matchAll(/^\| (.+?) \| (.+) \|$/gm)].filter(
		([, point]) => !/^(What n8n asks|---)/.test(point),
	);

	it('has rows', () => {
		expect(rows.length).toBeGreaterThan(20);
	});

	it.each(rows.map(([, point, met]) => [point, met]))('%s', (_point, met) => {
		const paths = [...met.matchAll(/`([^`\n]+)`/g)]
			.map(([, code]) => code)
			.filter((code) => /[./]/.test(code) && !code.startsWith('npm '));
		expect(paths).not.toEqual([]);
		expect(paths.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
		// Each test is named behind its file: `test/….test.cts` "its name", "another".
		for (const [, file, names] of met.matchAll(/`(test\/[^`]+)`((?:(?:, | )"[^"]+")*)/g)) {
			const source = read(file);
			for (const [, name] of names.matchAll(/"([^"]+)"/g)) {
				const isThere = [`'${name}'`, `\`${name}\``, `"${name}"`].some((text) =>
					source.includes(text),
				);
				expect({ file, name, isThere }).toEqual({ file, name, isThere: true });
			}
		}
	});
});

interface Named {
	where: string;
	field: INodeProperties;
}

/** Every field, however deep, with where it is. */
function fieldsIn(where: string, properties: readonly INodeProperties[]): Named[] {
	return properties.flatMap((field) => {
		const path = `${where} → ${field.displayName}`;
		const inner = (field.options ?? []).flatMap((option) => {
			if ('values' in option) return fieldsIn(path, option.values);
			return 'type' in option ? fieldsIn(path, [option]) : [];
		});
		return [{ where: path, field }, ...inner];
	});
}

const nodes = [new Seedance(), new SeedanceTrigger()].map(({ description }) => description);
const fields = [
	...nodes.flatMap(({ displayName, properties }) => fieldsIn(displayName, properties)),
	...fieldsIn('Seedance API', new SeedanceApi().properties),
].filter(({ field }) => !['notice', 'hidden'].includes(field.type));

const failing = (holds: (field: INodeProperties) => boolean) =>
	fields.filter(({ field }) => !holds(field)).map(({ where }) => where);

describe('the interface', () => {
	it('describes every switch with Whether', () => {
		expect(fields.some(({ field }) => field.type === 'boolean')).toBe(true);
		expect(
			failing(({ type, description }) => type !== 'boolean' || /^Whether /.test(description ?? '')),
		).toEqual([]);
	});

	it('has placeholders that begin as n8n wants them', () => {
		expect(
			failing(({ type, placeholder }) => {
				const begin = ['collection', 'fixedCollection'].includes(type) ? /^Add / : /^e\.g\. /;
				return placeholder === undefined || begin.test(placeholder);
			}),
		).toEqual([]);
	});

	it('has operations in Title Case with an action in sentence case', () => {
		const small = /^(and|or|for|the|a|an|in|of|on|to|with)$/;
		const [{ properties }] = nodes;
		const operations = (properties.find(({ name }) => name === 'operation')?.options ?? []).flatMap(
			(option) => ('action' in option ? [option] : []),
		);
		expect(operations.length).toBeGreaterThan(0);
		for (const { name, action, description } of operations) {
			expect(name.split(' ').filter((word) => !/^[A-Z]/.test(word) && !small.test(word))).toEqual(
				[],
			);
			expect(action).toMatch(/^[A-Z][a-z]*( [a-z]+)*$/);
			expect(description).toMatch(/^[A-Z].*[^.]$/);
		}
	});

	it('gives at most ten fields when it simplifies', () => {
		const item = unreadTaskItem({ taskId: null, prompt: null, estimatedCredits: null });
		expect(Object.keys(item).length).toBeLessThanOrEqual(10);
	});

	it('is in English alone', () => {
		const published = ['nodes', 'credentials', 'docs', 'examples', '.github/workflows']
			.flatMap((folder) => filesIn(join(ROOT, folder)).map((file) => `${folder}/${file}`))
			.concat(readdirSync(ROOT).filter((file) => /\.(md|json)$/.test(file)));
		// Letters that no English word has: other scripts, umlauts, accents.
		const foreign = /(?![A-Za-z])\p{L}/u;
		expect(published.filter((file) => foreign.test(read(file)))).toEqual([]);
	});
});

describe('the tool of n8n', () => {
	it('has a node-cli that knows provenance', () => {
		const manifest = readJson(join(ROOT, 'package.json'));
		const [major, minor] = JSON.stringify(manifest)
			.match(/"@n8n\/node-cli":"(\d+)\.(\d+)/)
			?.slice(1)
			.map(Number) ?? [0, 0];
		expect(major > 0 || minor >= 23).toBe(true);
	});
});
