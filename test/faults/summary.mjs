// The counts of the whole fault suite, from what its test files have left in a folder. Node's built-ins only.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The summary as text, one line for each count; `kind: name` are counted together, and then by name. */
export function summaryOf(folder) {
	const files = readdirSync(folder).sort();
	if (files.length === 0) return 'The fault suite has counted nothing.\n';
	const totals = new Map();
	const add = (name, detail, count) => {
		const total = totals.get(name) ?? { count: 0, details: {} };
		total.count += count;
		if (detail) total.details[detail] = (total.details[detail] ?? 0) + count;
		totals.set(name, total);
	};
	for (const file of files) {
		const counts = JSON.parse(readFileSync(join(folder, file), 'utf8'));
		add('schedules', file.replace(/\.json$/, ''), counts.schedules ?? 0);
		for (const [name, count] of Object.entries(counts)) {
			if (name !== 'schedules') add(...name.split(': ').concat('').slice(0, 2), count);
		}
	}
	return [...totals]
		.map(([name, { count, details }]) => {
			const parts = Object.entries(details).map(([detail, part]) => `${detail} ${part}`);
			return `${name.padEnd(25)} ${count}${parts.length > 0 ? `: ${parts.join(', ')}` : ''}\n`;
		})
		.join('');
}
