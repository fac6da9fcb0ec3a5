/** How long a run may work before n8n ends its execution. */
import type { IExecuteFunctions } from 'n8n-workflow';

import { waitLimit } from '../../nodes/Seedance/run/watch';
import type { Options } from '../../nodes/Seedance/run/parameters';
import type { Run } from '../../nodes/Seedance/run/run';
import { EXECUTION_RESERVE_MS, workUntil } from '../../nodes/shared/n8n/limit';
import { VirtualClock } from './virtualClock';

const STARTED_AT = 1_000_000;

/** n8n's context of an execution with this time limit in its workflow's settings (seconds), and this end by n8n's reckoning. */
function contextOf(seconds: number | undefined, endsAt?: unknown): IExecuteFunctions {
	return {
		getWorkflowSettings: () => ({ executionTimeout: seconds }),
		additionalData: { executionTimeoutTimestamp: endsAt },
	} as unknown as IExecuteFunctions;
}

describe('the time until which a run may work', () => {
	it.each([undefined, 0, -1])('has no end where the workflow has no limit: %p', (seconds) => {
		expect(workUntil(contextOf(seconds), STARTED_AT)).toBeUndefined();
	});

	it("is ten seconds before the workflow's limit, so that every ID comes out", () => {
		expect(EXECUTION_RESERVE_MS).toBe(10_000);
		expect(workUntil(contextOf(120), STARTED_AT)).toBe(STARTED_AT + 110_000);
	});

	it('goes by the end that n8n itself has reckoned, which counts what ran before this node', () => {
		expect(workUntil(contextOf(120, STARTED_AT + 50_000), STARTED_AT)).toBe(STARTED_AT + 40_000);
		// A limit for all of n8n stands in no workflow.
		expect(workUntil(contextOf(undefined, STARTED_AT + 50_000), STARTED_AT)).toBe(
			STARTED_AT + 40_000,
		);
	});

	it.each([
		[15, 7.5],
		[10, 5],
		[1, 0.5],
	])('keeps no more than half back of a short limit: %i s', (seconds, work) => {
		expect(workUntil(contextOf(seconds), STARTED_AT)).toBe(STARTED_AT + work * 1_000);
	});

	it('is never after the end, also when that is over already', () => {
		expect(workUntil(contextOf(undefined, STARTED_AT - 5_000), STARTED_AT)).toBe(
			STARTED_AT - 5_000,
		);
	});

	it.each([undefined, null, 'soon', {}])(
		"is reckoned from the workflow's setting where n8n tells no end: %p",
		(endsAt) => {
			expect(workUntil(contextOf(60, endsAt), STARTED_AT)).toBe(STARTED_AT + 50_000);
		},
	);

	it('is known to have no end where n8n tells nothing at all', () => {
		expect(workUntil({} as unknown as IExecuteFunctions, STARTED_AT)).toBeUndefined();
	});
});

describe('the limit of a wait', () => {
	const limitOf = (timeout: number, workUntilMs: number) => {
		const clock = new VirtualClock();
		const now = clock.now();
		const run = { clock, workUntil: now + workUntilMs } as unknown as Run;
		const { deadline, ...rest } = waitLimit(run, { timeout } as unknown as Options);
		return { ms: deadline - now, ...rest };
	};

	it("is the user's Timeout, in minutes", () => {
		expect(limitOf(15, Infinity)).toEqual({ ms: 900_000, minutes: 15, isWorkflowLimit: false });
		expect(limitOf(0.5, 1e9)).toEqual({ ms: 30_000, minutes: 0.5, isWorkflowLimit: false });
	});

	it("is the workflow's where that comes first, and says so", () => {
		expect(limitOf(15, 60_000)).toEqual({ ms: 60_000, minutes: 1, isWorkflowLimit: true });
	});

	it('is never in the past', () => {
		expect(limitOf(15, -60_000)).toEqual({ ms: 0, minutes: 0, isWorkflowLimit: true });
	});
});
