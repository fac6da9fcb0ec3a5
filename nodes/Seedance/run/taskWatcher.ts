/**
 * Follows the tasks of a run from the moment that each is started: to its end, or to that of the one
 * that takes its place, because it has failed for free.
 *
 * Rules that must not regress:
 * - the Timeout counts from each video's own start;
 * - a task ends for the others as soon as it has ended: nobody waits for its download;
 * - a restart is a POST like any other: in its turn, in the list, in the memory, at most so often.
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

/** A clock whose sleeps end with a signal as well, for work that sleeps by nothing else. */
const endedBy = (clock: Clock, end: AbortSignal): Clock => ({
	...clock,
	sleep: async (ms) => await clock.sleep(ms, end),
});

export class TaskWatcher {
	readonly limiter: StartLimiter;
	private readonly watchOne;
	private readonly addFile;
	/** One for each task: Node.js warns of a leak when a signal has many listeners. */
	private readonly endings = new Set<AbortController>();
	private isOver = false;
	private readonly watches = new Map<number, Promise<Result>>();
	private readonly ended = new Map<number, Result>();
	/** The task that stands for each item at this moment. */
	private readonly current = new Map<number, PendingTask>();
	/** What is being started anew. */
	private readonly starting = new Set<Promise<unknown>>();
	private postQueue?: PostQueue;
	private startPolling: () => void = () => {};
	/** Nothing is looked at before all are started, unless some have to wait for others to end. */
	private readonly pollingStarted = new Promise<void>((resolve) => {
		this.startPolling = resolve;
	});

	/** `adapt`: what is made of each task before it is followed, such as that no file is wanted. */
	constructor(
		private readonly run: Run,
		private readonly options: Options,
		private readonly adapt: (pending: PendingTask) => PendingTask,
	) {
		this.limiter = new StartLimiter(run.clock, options.maxAtOnce, () => this.startPolling());
		this.addFile = fileAdder(run);
		this.watchOne = watcherOf(run, options, this.addFile);
	}

	/** Who sends what is to be started anew. */
	restartWith(postQueue: PostQueue): void {
		this.postQueue = postQueue;
	}

	/** Follows a task from now on. */
	watch(task: NewTask): void {
		const { itemIndex } = task.pending;
		const result = this.watchToEnd({ ...task, pending: this.adapt(task.pending) });
		this.watches.set(itemIndex, result);
		// Who waits for it gets the error; until then nobody may.
		result.then((one) => this.ended.set(itemIndex, one)).catch(() => undefined);
	}

	/** What has become of tasks, when all have ended. Gives one result per task, in their order. */
	async results(tasks: readonly PendingTask[]): Promise<Result[]> {
		this.startPolling();
		return await Promise.all(
			tasks.map(async ({ itemIndex, seed }) => (await this.watches.get(itemIndex)) ?? { seed }),
		);
	}

	/** Follows nothing any longer. Gives what stands now. */
	stop(tasks: readonly PendingTask[]): Result[] {
		this.close();
		return tasks.map(({ itemIndex, seed }) => this.ended.get(itemIndex) ?? { seed });
	}

	/**
	 * Leaves what has not ended to somebody else, once nothing is being sent. Gives what stands for
	 * each item now.
	 */
	async detach(items: readonly ItemState[]): Promise<ItemState[]> {
		while (this.starting.size > 0) await Promise.all(this.starting);
		this.close();
		return items.map((item) => {
			if ('result' in item) return item;
			const { itemIndex } = item.pending;
			const result = this.ended.get(itemIndex);
			// What could not be read, or was not ready in time, is somebody else's to judge.
			return result?.task && hasEnded(result.task)
				? { result }
				: { pending: this.current.get(itemIndex) ?? item.pending };
		});
	}

	/** Nothing more is followed, or sent. */
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
		const starting = this.startAnew(task, result);
		this.starting.add(starting);
		const next = await starting.finally(() => this.starting.delete(starting));
		if (!next) return result;
		return 'pending' in next ? await this.watchToEnd(next) : next;
	}

	/** An equal item shares the video, whichever it is in the end. */
	private async share({ pending }: NewTask, leaderIndex: number): Promise<Result> {
		const { seed, output } = pending;
		const leader = await this.watches.get(leaderIndex);
		if (!leader) return { seed, output };
		const taskId = leader.seed.taskId ?? pending.taskId;
		const own = { ...leader, file: undefined, seed: { ...seed, taskId }, output };
		return await this.addFile({ ...pending, taskId }, own, this.run.clock.now());
	}

	/**
	 * Starts a video in place of one that has failed for free; undefined where that may not be, and
	 * the failure stays what it is.
	 */
	private async startAnew(task: NewTask, result: Result): Promise<NewTask | Result | undefined> {
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
			// Unless nobody knows what became of the second POST.
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
