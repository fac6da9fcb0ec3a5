/**
 * How long a run may take: until n8n ends the execution, less a reserve in which every ID comes
 * out.
 */
import type { IExecuteFunctions } from 'n8n-workflow';

import { isObject, numberOf } from '../json';

/** Milliseconds kept back from the workflow's own time limit, to hand out the results. */
export const EXECUTION_RESERVE_MS = 10_000;

/**
 * Milliseconds since 1970 at which n8n ends this execution
 * (docs/n8n-behaviour.md#time-limit-of-an-execution).
 */
function endsAtByN8n(context: IExecuteFunctions): number | undefined {
	const data: unknown = Reflect.get(context, 'additionalData');
	return isObject(data) ? (numberOf(data.executionTimeoutTimestamp) ?? undefined) : undefined;
}

/**
 * Milliseconds since 1970 until which a node may work, which is before n8n ends the execution;
 * undefined without a limit. The reserve is {@link EXECUTION_RESERVE_MS}, but never more than half
 * of what is there. `startedAt`: when the node began; the workflow's setting counts from there
 * where n8n does not give the end itself.
 */
export function workUntil(context: IExecuteFunctions, startedAt: number): number | undefined {
	const seconds = context.getWorkflowSettings?.().executionTimeout ?? 0;
	const endsAt = endsAtByN8n(context) ?? (seconds > 0 ? startedAt + seconds * 1000 : undefined);
	if (endsAt === undefined) return undefined;
	return endsAt - Math.min(EXECUTION_RESERVE_MS, Math.max(0, endsAt - startedAt) / 2);
}
