/**
 * The table of compatibility, from what jest reported of the suite in each version of n8n: a row for each check, a column for each
 * n8n, and below it why something does not work. Node's built-ins only.
 */
import { readFileSync, writeFileSync } from 'node:fs';

/** What encloses the table in docs/limits-and-compatibility.md. */
const BEGIN = '<!-- The output of `npm run test:compat -- --write`: begin -->';
const END = '<!-- The output of `npm run test:compat -- --write`: end -->';

/**
 * @param {Array<{ n8n: string, node: string, report: object }>} runs oldest n8n first; `report`: jest's JSON
 * @param {Array<{ n8n: string, check: string, why: string }>} gaps what is known not to work
 * @returns {string} Markdown; a check that did not run is shown as a question mark
 */
export function tableOf(runs, gaps) {
	const results = runs.map(({ report }) =>
		report.testResults.flatMap(({ assertionResults }) => assertionResults),
	);
	const checks = [...new Set(results.flat().map(({ title }) => title))];
	const reasons = [...new Set(gaps.map(({ why }) => why))];
	const cell = (check, column) => {
		const gap = gaps.find((one) => one.check === check && one.n8n === runs[column].n8n);
		if (gap) return `no ${footnote(reasons.indexOf(gap.why))}`;
		const { status } = results[column].find(({ title }) => title === check) ?? {};
		return { passed: '✓', failed: '**fails**' }[status] ?? '?';
	};
	const row = (cells) => `| ${cells.join(' | ')} |`;
	return [
		row(['What was tried', ...runs.map(({ n8n }) => `n8n ${n8n}`)]),
		row(['---', ...runs.map(() => ':-:')]),
		...checks.map((check) => row([check, ...runs.map((_, column) => cell(check, column))])),
		row(['Node that ran it', ...runs.map(({ node }) => node)]),
		...reasons.flatMap((why, index) => ['', `${footnote(index)} ${why}`]),
		'',
	].join('\n');
}

function footnote(index) {
	return ['¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'][index];
}

/** Puts the table into the file, in place of the one that is there. Throws where there is no place for it. */
export function writeTable(file, table) {
	const text = readFileSync(file, 'utf8');
	const begin = text.indexOf(BEGIN);
	const end = text.indexOf(END);
	if (begin < 0 || end < begin) throw new Error(`${file} has no place for the table.`);
	writeFileSync(file, `${text.slice(0, begin)}${BEGIN}\n\n${table}\n${text.slice(end)}`);
}
