/** The words for an end of a task stand in one file, for reading and for callbacks. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

it('the list of status words stands in one file only', () => {
	const root = join(__dirname, '..', '..', 'nodes');
	// Words that the API alone uses, as text or in a pattern; the nodes' own are "succeeded" and "failed".
	const words =
		/\b(succeed|completed?|finish|finished|done|failure|rejected|cancell?ed|expired)\b/gi;
	const inQuotes = /'[^'\s]*'|\/\^?\([^\s]*\)\/|`[^`\s]*`/g;
	const files = readdirSync(root, { recursive: true, encoding: 'utf8' });
	const withWords = files.filter((name) => {
		if (!name.endsWith('.ts')) return false;
		const texts = readFileSync(join(root, name), 'utf8').match(inQuotes) ?? [];
		return new Set(texts.join(' ').toLowerCase().match(words) ?? []).size > 2;
	});
	expect(withWords).toEqual([join('shared', 'task', 'task.ts')]);
});
