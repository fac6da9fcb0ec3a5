/** Calls that Stop must not cut off. */
import type { NodeFunctions } from '../api/credential';

/**
 * A context whose requests are not cancelled by Stop
 * (docs/n8n-behaviour.md#requests-cancelled-by-stop): a POST that was charged still gets its
 * response, and the deadline is ours.
 */
export function withoutCancelSignal(context: NodeFunctions): NodeFunctions {
	if (!('getExecutionCancelSignal' in context)) return context;
	return new Proxy(context, {
		has: (target, key) => key !== 'getExecutionCancelSignal' && Reflect.has(target, key),
	});
}
