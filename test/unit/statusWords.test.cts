// The words for an end of a task are known in one place.
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';

describe('the list of status words', () => {
	/** Every TypeScript file of the package. */
	function filesIn(folder: string): string[] {
		return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
			const path = join(folder, entry.name);
			if (entry.isDirectory()) return filesIn(path);
			return path.endsWith('.ts') ? [path] : [];
		});
	}

	it('stands in one file only, for reading and for callbacks', () => {
		const root = join(__dirname, '..', '..', 'nodes');
		// Words that the API alone uses, as text or in a pattern; the nodes' own are "succeeded" and "failed".
		const words =
			/\b(succeed|completed?|finish|finished|done|failure|rejected|cancell?ed|expired)\b/gi;
		const inQuotes = /'[^'\s]*'|\/\^?\([^\s]*\)\/|`[^`\s]*`/g;
		const withWords = filesIn(root).filter((path) => {
			const texts = readFileSync(path, 'utf8').match(inQuotes) ?? [];
			return new Set(texts.join(' ').toLowerCase().match(words) ?? []).size > 2;
		});
		const names = withWords.map((path) => relative(root, path).split(sep).join('/'));
		expect(names).toEqual(['shared/task/task.ts']);
	});
});
