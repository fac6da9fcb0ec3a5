// What is kept of a run, and without what differs from run to run: ids, times, ports, keys, tokens.
import { replaceCircularReferences } from 'n8n-workflow';

import type { Harness } from '../faults/harness.cjs';
import type { Run } from '../support/engine.cjs';

/** What differs from run to run, and what stands for it. */
const VARYING: ReadonlyArray<[RegExp, string]> = [
	[/\d{4}-\d\d-\d\dT\d\d:\d\d[\d:.]*(Z|[+-]\d\d:\d\d)/g, '<time>'],
	[/\w{3} \w{3} \d\d \d{4} [\d:]+ GMT\+\d{4}( \([^)]*\))?/g, '<time>'],
	[/\b1[5-9]\d{11}\b/g, '1500000000000'],
	[/\b9\d{15}\b/g, '9000000000000001'],
	[/127\.0\.0\.1:\d+/g, '127.0.0.1:<port>'],
	[/seedance_sig=[\w-]+/g, 'seedance_sig=<signature>'],
	[/signature=\w+/g, 'signature=<token>'],
	[/webhook-waiting\/\d+/g, 'webhook-waiting/<id>'],
	[/execution \d+/g, 'execution <id>'],
	[/ ~0\.[\d.e-]+/g, ' ~<random>'],
];

export function normalized(harness: Harness, value: unknown): unknown {
	let text = harness.sandbox.ledger.redact(JSON.stringify(replaceCircularReferences(value)));
	for (const [index, { id }] of harness.sandbox.tasks.all().entries()) {
		if (/^seed15[\da-f]{12}pro$/.test(id)) text = text.replaceAll(id, `task${index + 1}`);
	}
	for (const [pattern, name] of VARYING) text = text.replace(pattern, name);
	// Requests of the same moment come in any order, and so does what is logged of them.
	return JSON.parse(text, (key, entry) => (key === 'logs' ? entry.sort() : entry));
}

/** What a person or a later node gets of a run. */
export function recordOf(run: Run, logs: readonly string[]) {
	return {
		status: run.status,
		outputs: run.outputs.map((items) =>
			items.map(({ json, binary = {}, pairedItem }) => ({
				json,
				pairedItem,
				files: Object.entries(binary).map(([field, { id, data, ...file }]) => ({ field, ...file })),
			})),
		),
		error: run.error,
		hints: run.hints,
		logs,
	};
}
