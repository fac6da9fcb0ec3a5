// The counts of the whole fault suite, from what its test files have left in a folder. Node's built-ins only.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Numbers of the same place added up. */
function add(into, counts) {
	for (const [name, value] of Object.entries(counts)) {
		if (typeof value === 'number') into[name] = (into[name] ?? 0) + value;
		else into[name] = add(into[name] ?? {}, value);
	}
	return into;
}

const sum = (counts) => Object.values(counts).reduce((total, count) => total + count, 0);

/** The summary as text, one line for each count; says so when nothing was counted. */
export function summaryOf(folder) {
	const files = readdirSync(folder).sort();
	if (files.length === 0) return 'The fault suite has counted nothing.\n';
	const parts = files.map((file) => [
		file.replace(/\.json$/, ''),
		JSON.parse(readFileSync(join(folder, file), 'utf8')),
	]);
	const all = parts.reduce((total, [, counts]) => add(total, counts), {});
	const kinds = Object.entries(all.faults).sort(([a], [b]) => a.localeCompare(b));
	const { ids, violations } = all;
	const known = ids.output + ids.error + ids.data + ids.log;
	const rows = [
		[
			'schedules',
			`${all.schedules} (${parts.map(([name, part]) => `${name}: ${part.schedules}`).join(', ')})`,
		],
		['runs', all.runs],
		['retries of an execution', all.retries],
		['stopped', all.stops],
		['callbacks', all.callbacks],
		['pauses whose time was up', all.timesUp],
		['POSTs', all.posts],
		['charges', all.charges],
		['refunds', all.refunds],
		[
			'faults injected',
			`${sum(all.faults)}: ${kinds.map(([kind, count]) => `${kind} ${count}`).join(', ')}`,
		],
		[
			'ids of paid tasks',
			`${known}: in an output ${ids.output}, in an error ${ids.error}, in the execution's data ${ids.data}, only in the log ${ids.log}`,
		],
		['paid, but the answer was lost', `${ids.untold}, each told as "may have been started"`],
		...Object.entries(violations).map(([rule, count]) => [NAMES[rule] ?? rule, count]),
	];
	const width = Math.max(...rows.map(([name]) => name.length));
	return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}\n`).join('');
}

/** What the rules of the judge are called here. */
const NAMES = {
	'charged twice': 'double charges',
	'sent again': 'POSTs sent again that may have been accepted',
	'id lost': 'lost ids',
	items: 'items dropped, doubled or misplaced',
	'wrong outcome': 'wrong outcomes',
	'went on': 'went on where it had to stop',
	'secret shown': 'secrets shown',
	contract: 'departures from the contract of the API',
};
