/**
 * Watches each task of a run from its start until it has ended. A task that failed without a charge
 * may be restarted; its replacement is watched instead.
 *
 * Rules that must not regress:
 * - the Timeout counts from each video's own start;
 * - a task frees its slot as soon as it has ended, before its video is downloaded;
 * - a restart is a POST like any other: queued, in the list and in the memory, and never more often
 *   than Free Restarts allows.
 */
import type { Clock } from '../../shared/n8n/clock';
import { hasEnded } from '../../shared/task/task';
import { isRestartable } from '../../shared/task/restartable';
import { endRestart, reserveRestart } from '../videoList/restart';
import type { Options } from './options';
import type { Result } from './result';
import type { Run } from './run';
import type { PostQueue } from './postQueue';
import type { NewTask } from './submission';
import { StartLimiter } from './startLimiter';
import { fileAdder, watcherOf, type ItemState, type PendingTask } from './watch';

/** A clock whose sleeps a signal ends as well; it is the only way to end a watch early. */
const endedBy = (clock: Clock, end: AbortSignal): Clock => ({
	...clock,
	sleep: async (ms) => await clock.sleep(ms, end),
});

export class TaskWatcher {
	readonly limiter: StartLimiter;
	private readonly watchOne;
	private readonly addFile;
	/** One per task, because Node.js warns of a leak when one signal has many listeners. */
	private readonly endings = new Set<AbortController>();
	private isOver = false;
	private readonly watches = new Map<number, Promise<Result>>();
	private readonly ended = new Map<number, Result>();
	/** By item: its task, or the one that has replaced it. */
	private readonly current = new Map<number, PendingTask>();
	/** Restarts in flight. */
	private readonly starting = new Set<Promise<unknown>>();
	private postQueue?: PostQueue;
	private startPolling: () => void = () => {};
	/** Polling starts when all videos are started, or as soon as one has to wait for a slot. */
	private readonly pollingStarted = new Promise<void>((resolve) => {
		this.startPolling = resolve;
	});

	/**
	 * `adapt` changes each task before it is watched: with Pause Until Callback it drops the file.
	 */
	constructor(
		private readonly run: Run,
		private readonly options: Options,
		private readonly adapt: (pending: PendingTask) => PendingTask,
	) {
		this.limiter = new StartLimiter(run.clock, options.maxAtOnce, () => this.startPolling());
		this.addFile = fileAdder(run);
		this.watchOne = watcherOf(run, options, this.addFile);
	}

	/** Sets the queue that sends restarts. */
	restartWith(postQueue: PostQueue): void {
		this.postQueue = postQueue;
	}

	/** Watches a task from now on. */
	watch(task: NewTask): void {
		const { itemIndex } = task.pending;
		const result = this.watchToEnd({ ...task, pending: this.adapt(task.pending) });
		this.watches.set(itemIndex, result);
		// `results` throws the error. Without this catch, Node.js would report an unhandled rejection
		// before that.
		result.then((one) => this.ended.set(itemIndex, one)).catch(() => undefined);
	}

	/**
	 * Waits until these tasks have ended. Gives one result per task, in their order. Throws an
	 * unexpected error of a watch.
	 */
	async results(tasks: readonly PendingTask[]): Promise<Result[]> {
		this.startPolling();
		return await Promise.all(
			tasks.map(async ({ itemIndex, seed }) => (await this.watches.get(itemIndex)) ?? { seed }),
		);
	}

	/**
	 * Ends all watches, once no restart is in flight; no other begins. Gives the results so far, one
	 * per task, in their order.
	 */
	async stop(tasks: readonly PendingTask[]): Promise<Result[]> {
		this.postQueue?.stop('the run has ended.');
		while (this.starting.size > 0) await Promise.all(this.starting);
		this.close();
		return tasks.map(({ itemIndex, seed }) => {
			const current = this.current.get(itemIndex)?.seed ?? seed;
			return this.ended.get(itemIndex) ?? { seed: current };
		});
	}

	/**
	 * Ends all watches, once no restart is in flight. Gives one state per item, in order: the result
	 * of a task that has ended, else the task.
	 */
	async detach(items: readonly ItemState[]): Promise<ItemState[]> {
		while (this.starting.size > 0) await Promise.all(this.starting);
		this.close();
		return items.map((item) => {
			if ('result' in item) return item;
			const { itemIndex } = item.pending;
			const result = this.ended.get(itemIndex);
			// A task that could not be read, or was not ready in time, stays pending: the caller reads it
			// again. A restart whose outcome nobody knows is no task to read.
			const isOver = result?.problem?.code === 'maybe_created';
			return result && (isOver || (result.task && hasEnded(result.task)))
				? { result }
				: { pending: this.current.get(itemIndex) ?? item.pending };
		});
	}

	/** Ends all watches; nothing more is sent. */
	close(): void {
		this.isOver = true;
		this.startPolling();
		this.postQueue?.stop('the run has ended.');
		for (const ending of this.endings) ending.abort('over');
		this.limiter.close();
	}

	private async watchToEnd(task: NewTask): Promise<Result> {
		const { leaderIndex } = task;
		if (leaderIndex !== undefined) return await this.share(task, leaderIndex);
		const release = task.release ?? this.limiter.acquire(task.pending.credential);
		const onEnd = ({ task: ended }: Result) => {
			const { isNew, seed } = task.pending;
			if (isNew && ended?.state === 'succeeded' && seed.createdAt !== undefined) {
				this.postQueue?.noteReadyAfter(this.run.clock.now() - seed.createdAt);
			}
			release();
		};
		const { itemIndex, seed } = task.pending;
		this.current.set(itemIndex, task.pending);
		await this.pollingStarted;
		if (this.isOver) return { seed };
		const ending = new AbortController();
		this.endings.add(ending);
		const clock = endedBy(this.run.clock, ending.signal);
		const result = await this.watchOne(task.pending, { clock, onEnd });
		this.endings.delete(ending);
		const starting = this.restart(task, result).then((next) => {
			// Whoever waits for the restarts in flight finds how this one has ended.
			if (!next || !('pending' in next)) this.ended.set(itemIndex, next ?? result);
			return next;
		});
		this.starting.add(starting);
		const next = await starting.finally(() => this.starting.delete(starting));
		if (!next) return result;
		return 'pending' in next ? await this.watchToEnd(next) : next;
	}

	/** The result of an equal item: it shares the video of its leader, also a restarted one. */
	private async share({ pending }: NewTask, leaderIndex: number): Promise<Result> {
		const { seed, output } = pending;
		const leader = await this.watches.get(leaderIndex);
		if (!leader) return { seed, output };
		const taskId = leader.seed.taskId ?? pending.taskId;
		const own = { ...leader, file: undefined, seed: { ...seed, taskId }, output };
		return await this.addFile({ ...pending, taskId }, own, this.run.clock.now());
	}

	/**
	 * Restarts a task that has failed without a charge. Undefined where it may not be restarted: then
	 * its failure is the result.
	 */
	private async restart(task: NewTask, result: Result): Promise<NewTask | Result | undefined> {
		const { pending, item, restarts } = task;
		const { postQueue, run, options } = this;
		const mayBe = result.task && isRestartable(result.task) && !pending.seed.isReused;
		if (!mayBe || restarts >= options.restarts || !postQueue || this.isOver) {
			return undefined;
		}
		if (!(await reserveRestart(run, options, item, result))) return undefined;
		const { taskId, seed } = pending;
		const createdAt = seed.createdAt ?? run.clock.now();
		const model = seed.model ?? item.model.value;
		const failed = { taskId, model, executionId: run.executionId, createdAt, restarts };
		const outcome = await postQueue.start(item, failed);
		const sent = 'sent' in outcome ? outcome.sent : undefined;
		if (!sent || 'problem' in sent) {
			await endRestart(run, item.itemIndex);
			// With an unclear second POST, that one is the result: it may have been charged.
			if (!sent || sent.problem.charged === 'no') return undefined;
			const { problem } = sent;
			return {
				seed: { ...item.seed, taskId: problem.taskId ?? null },
				problem,
				output: pending.output,
			};
		}
		const next = this.adapt({
			...pending,
			taskId: sent.taskId,
			seed: { ...item.seed, taskId: sent.taskId, createdAt: sent.createdAt },
			isNew: 'isNew' in outcome && outcome.isNew,
			raw: sent.raw,
			task: sent.task,
		});
		const release = 'release' in outcome ? outcome.release : undefined;
		this.current.set(item.itemIndex, next);
		return { pending: next, item, restarts: restarts + 1, release };
	}
}
