/**
 * The hints above the output after a run, where a sentence saves credits or time: which tasks are
 * still running, what this run has paid for, and that a loop around the node makes it wait for one
 * video after the other.
 */
import type { NodeExecutionHint } from 'n8n-workflow';

import { isTestUrl } from '../../shared/callback/signature';
import { checkCallbackLink } from '../../shared/task/links';
import type { Operation } from '../operations/operation';
import { fieldRef, readValue } from './fieldReading';
import { textParameter } from './parameters';
import { isRunning, type Result } from './result';
import type { Run } from './run';

/** Task ids that a hint names; more would push the output out of sight. */
const NAMED_TASKS = 3;

const LOOP = 'n8n-nodes-base.splitInBatches';

/**
 * Whether a task may still be running: it was read as running, or could not be watched to its end.
 */
function isOpen(result: Result): boolean {
	const { problem } = result;
	if (problem) return problem.code === 'timeout' || problem.code === 'contact_lost';
	return isRunning(result);
}

/**
 * Credits of a task that this execution has started: the API's count once there is one, the price
 * until then.
 */
function creditsUsed({ seed, task, problem }: Result): number {
	if (seed.isReused) return 0;
	if (seed.taskId === null || problem?.code === 'maybe_created') return 0;
	const counted = task && task.state !== 'running' ? task.consumedCredits : null;
	return counted ?? seed.estimatedCredits ?? 0;
}

function stillRunning(results: readonly Result[]): string | undefined {
	const open = results.filter(isOpen).flatMap(({ seed }) => seed.taskId ?? []);
	if (open.length === 0) return undefined;
	const [tasks, them] = results.length === 1 ? ['task is', 'it'] : ['tasks', 'them'];
	const more = open.length - NAMED_TASKS;
	const ids = `${open.slice(0, NAMED_TASKS).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
	return `${open.length} of ${results.length} ${tasks} still running: ${ids}. Wait for Video finishes ${them} without paying again.`;
}

/** A field of the first item; undefined where it is broken, which must not take other hints along. */
function orNothing<T>(read: () => T): T | undefined {
	try {
		return read();
	} catch {
		return undefined;
	}
}

/** Whether running the node again by hand gives all videos again, free. */
function isReusable({ listing, context }: Run, results: readonly Result[]): boolean {
	const choice = orNothing(() => textParameter(context, 0, 'ifExists'));
	const reuses = choice === 'manualRuns' || choice === 'always';
	const isListed = listing?.videos !== undefined && listing.summary.isComplete;
	return isListed && reuses && results.every(({ problem }) => !problem);
}

/**
 * Whether the execution is suspended until a callback: after a wait, a running task has a problem.
 */
function isPaused({ waits }: Operation, results: readonly Result[]): boolean {
	return waits === true && results.some(isRunning);
}

function used(run: Run, operation: Operation, results: readonly Result[]): string | undefined {
	const credits = results.reduce((sum, result) => sum + creditsUsed(result), 0);
	if (credits === 0) return undefined;
	if (isPaused(operation, results)) return `This run used ${credits} credits.`;
	if (isReusable(run, results)) {
		return `This run used ${credits} credits. Run it again as often as you like while you build: the same settings give the same video, free, for 24 hours.`;
	}
	// n8n pins no output with a file, and only one of two outputs
	// (docs/n8n-behaviour.md#outputs-with-files).
	const advice =
		run.onError === 'errorOutput' || results.some(({ file }) => file)
			? 'Build the next nodes with Execute step on each: that uses this output, without paying again.'
			: 'Pin this output while you build the next nodes.';
	return `This run used ${credits} credits. ${advice}`;
}

/**
 * Whether the node runs for a second time inside a Loop Over Items: between its loop output and its
 * input.
 */
function isInLoop({ context, node: { name }, runIndex }: Run): boolean {
	if (runIndex === 0) return false;
	const after = new Set(context.getChildNodes(name).map((node) => node.name));
	return context.getParentNodes(name).some((node) => node.type === LOOP && after.has(node.name));
}

/** Without this hint, a run that started nothing because of a limit would look successful. */
function overLimit(results: readonly Result[]): string | undefined {
	const over = results.filter(({ problem }) => problem?.code === 'over_limit');
	const [first] = over;
	// A limit for each client may stop some items only.
	const what =
		over.length === results.length
			? 'Nothing was started.'
			: `${over.length} of ${results.length} items were not started.`;
	return first?.problem && `${first.problem.message} ${what}`;
}

/** With an error output, n8n marks the run as successful, whatever failed. */
function inErrorBranch({ onError }: Run, results: readonly Result[]): string | undefined {
	if (onError !== 'errorOutput') return undefined;
	const failed = results.filter(({ problem }) => problem && problem.code !== 'over_limit').length;
	if (failed === 0) return undefined;
	const items = results.length === 1 ? 'item' : 'items';
	return `${failed} of ${results.length} ${items} failed: see the Error Branch of this output.`;
}

const TEST_URL =
	'The Callback URL is a test URL: it works for two minutes only, while its trigger listens. For real runs, use its Production URL.';

/** The Callback URL of the first item, as it is sent; usually all items have the same one. */
function callbackUrl({ context }: Run, { takesCallback }: Operation): string | undefined {
	if (!takesCallback) return undefined;
	const link = orNothing(() =>
		checkCallbackLink(readValue(context, fieldRef(0, 'callbackUrl'), ''), 'loopback'),
	);
	return link?.ok ? link.value : undefined;
}

/** The hint for a Callback URL of a reused video: no callback comes for it. */
function withoutCallback(run: Run, operation: Operation, results: readonly Result[]) {
	const isWaiting = callbackUrl(run, operation) !== undefined;
	return isWaiting && results.some(({ seed }) => seed.isReused)
		? 'No callback comes for a video that an earlier run has started.'
		: undefined;
}

/** The hints about one run. */
function hintsFor(run: Run, operation: Operation, results: readonly Result[]): NodeExecutionHint[] {
	const isByHand = run.mode === 'manual';
	const hint = (message: string | undefined, type: NodeExecutionHint['type'] = 'info') =>
		message === undefined ? [] : [{ message, type, location: 'outputPane' as const }];
	return [
		...hint(overLimit(results), 'warning'),
		...hint(inErrorBranch(run, results), 'warning'),
		...hint(run.listing?.summary.warning(), 'warning'),
		...(run.listing?.summary.hints() ?? []).flatMap((message) => hint(message)),
		...results.flatMap(({ note }) => hint(note)),
		...hint(withoutCallback(run, operation, results)),
		// Generate Without Waiting leaves all of them running on purpose, and a pause goes on by
		// itself.
		...hint(
			(operation.starts && !operation.waits) || isPaused(operation, results)
				? undefined
				: stillRunning(results),
		),
		...hint(isTestUrl(callbackUrl(run, operation) ?? '') ? TEST_URL : undefined, 'warning'),
		...hint(isByHand && operation.starts ? used(run, operation, results) : undefined),
		...hint(
			operation.waits && isInLoop(run)
				? 'This node handles all items at once; Loop Over Items makes it slower.'
				: undefined,
		),
	];
}

/**
 * Adds the hints of one run, where this n8n can show them
 * (docs/n8n-behaviour.md#hints-after-a-run), and not for an AI tool. Hints about building a
 * workflow appear in manual runs only. Never throws, because the paid results are handed out after
 * it.
 */
export function addRunHints(run: Run, operation: Operation, results: readonly Result[]): void {
	const { context } = run;
	if (run.isTool) return;
	try {
		const hints = hintsFor(run, operation, results);
		if (hints.length) context.addExecutionHints?.(...hints);
	} catch (error) {
		const reason = error instanceof Error ? error.message : '';
		context.logger.warn(`Seedance could not add its hints to the output: ${reason}`);
	}
}
