/** How long a run may work before n8n ends its execution. */
import type { IExecuteFunctions } from 'n8n-workflow';

import type { Options } from '../../nodes/Seedance/run/parameters';
import type { Run } from '../../nodes/Seedance/run/run';
import { waitLimit } from '../../nodes/Seedance/run/watch';
import { EXECUTION_RESERVE_MS, workUntil } from '../../nodes/shared/n8n/limit';
import { VirtualClock } from './virtualClock.cjs';

const NOW = 1_000_000;

it.each<[string, number | undefined, unknown, number | undefined]>([
	['no limit has no end', undefined, undefined, undefined],
	['a limit of 0 has no end', 0, undefined, undefined],
	['a limit below 0 has no end', -1, undefined, undefined],
	["the workflow's limit ends ten seconds before it", 120, undefined, 110_000],
	// n8n counts what ran before this node; a limit for all of n8n stands in no workflow.
	['the end that n8n itself has reckoned comes first', 120, NOW + 50_000, 40_000],
	['the end that n8n alone has reckoned counts', undefined, NOW + 50_000, 40_000],
	['an end that is over already is the end', undefined, NOW - 5_000, -5_000],
	['no more than half of a short limit is kept back', 15, undefined, 7_500],
	['no more than half of a shorter limit is kept back', 10, undefined, 5_000],
	['no more than half of the shortest limit is kept back', 1, undefined, 500],
	['an end of null is none', 60, null, 50_000],
	['an end that is a text is none', 60, 'soon', 50_000],
	['an end that is an object is none', 60, {}, 50_000],
])('the time until which a run may work: %s', (_name, seconds, endsAt, ms) => {
	const context = {
		getWorkflowSettings: () => ({ executionTimeout: seconds }),
		additionalData: { executionTimeoutTimestamp: endsAt },
	};
	const until = workUntil(context as unknown as IExecuteFunctions, NOW);
	expect(until).toBe(ms === undefined ? undefined : NOW + ms);
	expect(EXECUTION_RESERVE_MS).toBe(10_000);
});

it('the time until which a run may work has no end where n8n tells nothing at all', () => {
	expect(workUntil({} as unknown as IExecuteFunctions, NOW)).toBeUndefined();
});

it.each([
	[15, Infinity, { ms: 900_000, minutes: 15, isWorkflowLimit: false }],
	[0.5, 1e9, { ms: 30_000, minutes: 0.5, isWorkflowLimit: false }],
	[15, 60_000, { ms: 60_000, minutes: 1, isWorkflowLimit: true }],
	[15, -60_000, { ms: 0, minutes: 0, isWorkflowLimit: true }],
])('a wait ends with Timeout, %p minutes, or the workflow, in %p ms', (timeout, leftMs, limit) => {
	const clock = new VirtualClock();
	const run = { clock, workUntil: clock.now() + leftMs } as unknown as Run;
	const { deadline, ...rest } = waitLimit(run, { timeout } as unknown as Options);
	expect({ ms: deadline - clock.now(), ...rest }).toEqual(limit);
});
