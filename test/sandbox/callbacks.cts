// The sandbox's callbacks: how a task's end is reported to its callback_url, in every shape and with every mishap. They only
// ever go to this machine.
import axios from 'axios';
import { randomBytes } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

import { keysOf } from './contract.cjs';
import type { Sandbox } from './server.cjs';
import { statusEnvelope, type Envelope, type SandboxTask } from './tasks.cjs';

interface Content {
	method?: 'GET' | 'POST';
	type?: string;
	body?: string | Buffer;
}

const json = (body: unknown): Content => ({
	type: 'application/json',
	body: JSON.stringify(body),
});
const NEIGHBOUR_STATES: Readonly<Record<string, string>> = { SUCCESS: 'success', FAILED: 'fail' };

/** What a delivery looks like. No document says which of them the real API uses. */
const SHAPES = {
	envelope: (envelope) => json(envelope),
	data: ({ data }) => json(data),
	/** As neighbouring providers send it. */
	neighbour: ({ data }) =>
		json({
			code: 200,
			msg: 'success',
			data: {
				taskId: data.task_id,
				state: NEIGHBOUR_STATES[String(data.status)] ?? 'generating',
				resultJson: JSON.stringify({ resultUrls: data.response ?? [] }),
			},
		}),
	empty: () => ({}),
	get: () => ({ method: 'GET' }),
	form: ({ data }) => ({
		type: 'application/x-www-form-urlencoded',
		body: `task_id=${encodeURIComponent(String(data.task_id))}&status=${String(data.status)}`,
	}),
	/** Bytes that are neither JSON nor text. */
	garbage: () => ({
		type: 'application/octet-stream',
		body: Buffer.concat([Buffer.from([0x00, 0xff, 0xfe, 0x7b, 0x22, 0xc3]), randomBytes(58)]),
	}),
} satisfies Record<string, (envelope: Envelope) => Content>;
export type CallbackShape = keyof typeof SHAPES;
export const CALLBACK_SHAPES = keysOf(SHAPES);

/** How callbacks are delivered: at first as usual. Times are real milliseconds. */
export class CallbackPlan {
	shape: CallbackShape = 'envelope';
	/** Tries per delivery until one gets 2xx. */
	attempts = 3;
	/** Wait before the second try; doubled for each further one, divided by the sandbox's speed. */
	backoffMs = 1000;
	timeoutMs = 10_000;
	copies = 1;
	/** Between two copies; 0 sends them at the same moment. */
	copyGapMs = 0;
	/** The callback comes this long before GET /status shows the end. */
	earlyMs = 0;
	never = false;
	/** The id in the body is not the task's, as with a provider behind the provider. */
	foreignId = false;
}

/** One try of one delivery. Copies and attempts count from 1. */
export interface Delivery {
	taskId: string;
	told: string;
	shape: CallbackShape;
	copy: number;
	attempt: number;
	method: 'POST' | 'GET';
	url: string;
	at: number;
	answeredAt: number | null;
	status: number | null;
	answer: string;
	error: string | null;
}

const KEPT_LENGTH = 2000;
const PENDING = { answeredAt: null, status: null, answer: '', error: null };

/** True for an http(s) URL whose host is this machine. */
const isLoopbackUrl = (url: string) =>
	URL.canParse(url) &&
	/^https?:\/\/(localhost|\[::1\]|127(\.\d+){3})(:\d+)?\//.test(new URL(url).href);

export class Callbacks {
	readonly deliveries: Delivery[] = [];
	/** Callbacks that were not sent because they would have left this machine. */
	readonly refused: Array<{ taskId: string; url: string; reason: string }> = [];
	/** How callbacks are delivered unless a task or a prompt has its own plan. */
	plan: CallbackPlan;
	private readonly special: Array<{ match: string; plan: Partial<CallbackPlan> }> = [];
	private readonly inFlight = new Set<Promise<unknown>>();
	private stop = newStop();

	constructor(
		private readonly sandbox: Sandbox,
		plan: Partial<CallbackPlan> = {},
	) {
		this.plan = { ...new CallbackPlan(), ...plan };
	}

	/** Another plan for one task: `match` is its id, or a part of its prompt. The last one that fits counts. */
	planFor(match: string, plan: Partial<CallbackPlan>): void {
		this.special.push({ match, plan });
	}

	of(taskId: string): readonly Delivery[] {
		return this.deliveries.filter((delivery) => delivery.taskId === taskId);
	}

	/** Resolves when nothing is left to deliver, retries included. */
	async settled(): Promise<void> {
		while (this.inFlight.size > 0) await Promise.all(this.inFlight);
	}

	/** Reports a task's end. Gives how many milliseconds GET /status has to hide it. */
	ended(task: SandboxTask): number {
		const plan = this.planOf(task);
		if (task.order.callback_url === null || plan.never) return 0;
		void this.launch(task, plan);
		return plan.earlyMs;
	}

	/**
	 * Delivers once more, or for the first time, whatever the plan said; resolves when it is done, retries included.
	 * Of the plan only what is given here is changed.
	 */
	async deliver(task: SandboxTask, changes: Partial<CallbackPlan> = {}): Promise<void> {
		await this.launch(task, { ...this.planOf(task), ...changes });
	}

	/** Gives up whatever is running, and forgets all records and special plans. */
	clear(): void {
		this.stop.abort();
		this.stop = newStop();
		for (const list of [this.deliveries, this.refused, this.special]) list.length = 0;
	}

	private planOf(task: SandboxTask): CallbackPlan {
		const fitting = this.special.filter(
			({ match }) => match === task.id || task.order.prompt.includes(match),
		);
		return { ...this.plan, ...fitting.at(-1)?.plan };
	}

	private async launch(task: SandboxTask, plan: CallbackPlan): Promise<void> {
		const url = task.order.callback_url;
		if (url === null) return;
		if (!isLoopbackUrl(url)) {
			this.refused.push({ taskId: task.id, url, reason: 'The sandbox calls only 127.0.0.1' });
			this.sandbox.ledger.changed();
			return;
		}
		const { signal } = this.stop;
		const copies = Array.from({ length: plan.copies }, async (_, index) => {
			await pause(index * plan.copyGapMs, signal);
			for (let attempt = 1; attempt <= plan.attempts && !signal.aborted; attempt += 1) {
				const status = await this.attempt(task, url, plan, { copy: index + 1, attempt, signal });
				if (status !== null && status >= 200 && status < 300) return;
				const backoff = (plan.backoffMs * 2 ** (attempt - 1)) / this.sandbox.speed;
				if (attempt < plan.attempts) await pause(backoff, signal);
			}
		});
		const all = Promise.all(copies).finally(() => this.inFlight.delete(all));
		this.inFlight.add(all);
		await all;
	}

	private async attempt(
		task: SandboxTask,
		url: string,
		{ shape, foreignId, timeoutMs }: CallbackPlan,
		{ copy, attempt, signal }: { copy: number; attempt: number; signal: AbortSignal },
	): Promise<number | null> {
		const { data, ...rest } = statusEnvelope(task, this.sandbox.shownVideo(task), task.ended);
		const taskId = foreignId ? `other${randomBytes(8).toString('hex')}` : task.id;
		const envelope = { ...rest, data: { ...data, task_id: taskId } };
		const { method = 'POST', type, body }: Content = SHAPES[shape](envelope);
		const delivery: Delivery = {
			...PENDING,
			taskId: task.id,
			told: String(data.status),
			shape,
			copy,
			attempt,
			method,
			url: shape === 'get' ? withQuery(url, `task_id=${taskId}`) : url,
			at: Date.now(),
		};
		this.deliveries.push(delivery);
		try {
			const response = await axios.request<string>({
				url: delivery.url,
				method,
				data: body,
				timeout: timeoutMs,
				signal,
				headers: type ? { 'content-type': type } : {},
				maxRedirects: 0,
				proxy: false,
				responseType: 'text',
				transformRequest: (sent: unknown) => sent,
				transformResponse: (text: unknown) => String(text ?? ''),
				validateStatus: () => true,
			});
			delivery.status = response.status;
			delivery.answer = response.data.slice(0, KEPT_LENGTH);
		} catch (error) {
			delivery.error = error instanceof Error ? error.message : String(error);
		}
		delivery.answeredAt = Date.now();
		this.sandbox.ledger.changed();
		return delivery.status;
	}
}

/** Any number of deliveries may be in flight at once. */
function newStop(): AbortController {
	const stop = new AbortController();
	setMaxListeners(0, stop.signal);
	return stop;
}

/** Adds to a URL's query as text: parsing and printing it again could change what was signed. */
function withQuery(url: string, addition: string): string {
	const [beforeHash] = url.split('#', 1);
	const mark = beforeHash.includes('?') ? '&' : '?';
	return `${beforeHash}${mark}${addition}${url.slice(beforeHash.length)}`;
}

/** Waits so many real milliseconds, or until the signal says stop. */
export async function pause(ms: number, signal?: AbortSignal): Promise<void> {
	if (ms > 0) await sleep(ms, undefined, { signal, ref: false }).catch(() => undefined);
}
