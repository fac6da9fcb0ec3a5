/** Calls that Stop must not cut off. */
import type { NodeFunctions } from '../api/credential';

/**
 * A context whose requests n8n does not tie to Stop (docs/n8n-behaviour.md#requests-tied-to-stop):
 * a POST that was charged still gets its answer, and the deadline is ours.
 */
export function withoutCancelSignal(context: NodeFunctions): NodeFunctions {
	if (!('getExecutionCancelSignal' in context)) return context;
	return new Proxy(context, {
		has: (target, key) => key !== 'getExecutionCancelSignal' && Reflect.has(target, key),
	});
}
