/**
 * The facts of one run of the node: read from n8n once in `execute()`, and passed to everything
 * that works for it.
 */
import type {
	IExecuteFunctions,
	INode,
	INodeExecutionData,
	WorkflowExecuteMode,
} from 'n8n-workflow';

import { createThrottle, type Throttle } from '../../shared/api/throttle';
import { PARALLEL_READS, type ReadResult } from '../../shared/api/client';
import type { Credential } from '../../shared/api/credential';
import { findTask, VersionCache } from '../../shared/api/findTask';
import type { ReadyWindow } from '../../shared/api/pollInterval';
import { expiringLimiter, type Clock } from '../../shared/n8n/clock';
import { workUntil } from '../../shared/n8n/limit';
import { onErrorOf, type OnError } from '../../shared/n8n/onError';
import type { Listing } from '../videoList/listing';
import type { TaskSeed } from '../../shared/task/taskItem';
import { isTool, runIndexOf } from './parameters';

/** Milliseconds after which a slow read no longer counts as in flight. */
const READ_HOLDS_MS = 5_000;

export interface Run {
	readonly context: IExecuteFunctions;
	readonly clock: Clock;
	/**
	 * Milliseconds since 1970 at which the node began; the start of the execution is not visible to
	 * it.
	 */
	readonly startedAt: number;
	readonly node: INode;
	readonly input: readonly INodeExecutionData[];
	readonly executionId: string;
	/** How the execution was started; `retry` when a person retries one. */
	readonly mode: WorkflowExecuteMode;
	readonly onError: OnError;
	readonly isTool: boolean;
	/**
	 * The run of this node within its execution; 0 for an AI tool
	 * (docs/n8n-behaviour.md#run-index-of-a-tool).
	 */
	readonly runIndex: number;
	/**
	 * Milliseconds since 1970 until which the run may work, before n8n ends the execution; Infinity
	 * without a limit.
	 */
	readonly workUntil: number;
	/** The task of an item, as soon as the run knows it: it is reported after an unexpected error. */
	readonly taskIds: Map<number, string>;
	/** By item: when such videos were ready here, by the list of videos. */
	readonly readyWindows: Map<number, ReadyWindow>;
	/** Failed tasks that a person retries. */
	readonly failedTasks: Set<string>;
	/** The list of videos as this run uses it; undefined without one. */
	listing?: Listing;
	/** Whether a person, or n8n's own time limit, has stopped the execution. */
	isStopped: () => boolean;
	/** The throttle of an account, shared by everything that this run sends there. */
	throttleFor: (credential: Credential) => Throttle;
	/**
	 * Reads one task by a deadline (milliseconds since 1970), queued with the other reads. After a
	 * 429 it waits and reads again; it gives the 429 only when the deadline comes first.
	 */
	readTask: (task: ReadableTask, deadline: number) => Promise<ReadResult>;
}

/** A task to read; without its seed, its model is not known. */
export interface ReadableTask {
	credential: Credential;
	taskId: string;
	seed?: Pick<TaskSeed, 'model'>;
}

/** Identifies an account within a run. Never show or store it: it holds the key. */
export function credentialKey({ baseUrl, apiKey }: Credential): string {
	return `${baseUrl}\n${apiKey}`;
}

/** Reads the facts of a run. Throws what n8n throws. */
export function runOf(context: IExecuteFunctions, clock: Clock): Run {
	const startedAt = clock.now();
	const node = context.getNode();
	const signal = context.getExecutionCancelSignal?.();
	const throttles = new Map<string, Throttle>();
	const known = new VersionCache();
	const inTurn = expiringLimiter(PARALLEL_READS, READ_HOLDS_MS, clock);
	const throttleFor = (credential: Credential): Throttle => {
		const key = credentialKey(credential);
		const throttle = throttles.get(key) ?? createThrottle(clock);
		throttles.set(key, throttle);
		return throttle;
	};
	/** Undefined when the deadline came before it could start. */
	const readInTurn = async (
		task: ReadableTask,
		deadline: number,
	): Promise<ReadResult | undefined> =>
		await inTurn(async () => {
			const ms = deadline - clock.now();
			const { credential, taskId, seed } = task;
			if (ms <= 0) return undefined;
			return await findTask(context, { credential, taskId, model: seed?.model, known, clock, ms });
		});
	const tool = isTool(context, node);
	return {
		context,
		clock,
		startedAt,
		node,
		input: context.getInputData(),
		executionId: context.getExecutionId(),
		mode: context.getMode(),
		onError: onErrorOf(node),
		isTool: tool,
		runIndex: tool ? 0 : runIndexOf(context),
		workUntil: workUntil(context, startedAt) ?? Infinity,
		taskIds: new Map(),
		readyWindows: new Map(),
		failedTasks: new Set(),
		isStopped: () => signal?.aborted ?? false,
		throttleFor,
		readTask: async (task, deadline) => {
			const throttle = throttleFor(task.credential);
			let limited: ReadResult | undefined;
			while (await throttle.acquire(deadline)) {
				const sentAt = clock.now();
				const read = await readInTurn(task, deadline);
				if (!read) break;
				const isLimited = read.outcome === 'unavailable' && read.failure.cause === 'rate_limited';
				if (!isLimited) {
					const hasResponse =
						read.outcome !== 'unavailable' || read.failure.httpStatus !== undefined;
					if (hasResponse) throttle.onResponse();
					return read;
				}
				throttle.onRateLimited(sentAt, read.failure.retryAfterMs);
				limited = read;
			}
			return limited ?? { outcome: 'unavailable', failure: { cause: 'rate_limited', text: '' } };
		},
	};
}
