/** How long a run may work before n8n ends its execution. */
import type { IExecuteFunctions } from 'n8n-workflow';

import type { Options } from '../../nodes/Seedance/run/parameters';
import type { Run } from '../../nodes/Seedance/run/run';
import { waitLimit } from '../../nodes/Seedance/run/watch';
import { EXECUTION_RESERVE_MS, workUntil } from '../../nodes/shared/n8n/limit';
import limits from '../fixtures/executionLimits.json';
import { VirtualClock } from './virtualClock.cjs';

const NOW = 1_000_000;

it.each<unknown[]>(limits)('the time until which a run may work: %s', (...row) => {
	const [, seconds, endsAt, ms] = row;
	const context = {
		getWorkflowSettings: () => ({ executionTimeout: seconds }),
		additionalData: { executionTimeoutTimestamp: endsAt },
	};
	const until = workUntil(context as unknown as IExecuteFunctions, NOW);
	expect(until).toBe(ms === null ? undefined : NOW + Number(ms));
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
