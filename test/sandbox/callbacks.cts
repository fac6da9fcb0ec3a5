// The sandbox's callbacks: how a task's end is told to its callback_url, in every shape and with every mishap known.
// They only ever go to this machine.
import axios from 'axios';
import { randomBytes } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { isIPv4 } from 'node:net';

import type { SandboxTask } from './tasks.cjs';

/** What a delivery looks like. No document says which of them the real API uses. */
export const CALLBACK_SHAPES = [
	/** The whole answer of GET /status. */
	'envelope',
	/** Its `data` alone. */
	'data',
	/** `{ code, msg, data: { taskId, state, resultJson } }`, as neighbouring providers send it. */
	'neighbour',
	/** POST without a body. */
	'empty',
	/** GET with `task_id` in the query. */
	'get',
	/** A form with `task_id` and `status`. */
	'form',
	/** Bytes that are neither JSON nor text. */
	'garbage',
] as const;
export type CallbackShape = (typeof CALLBACK_SHAPES)[number];

/** How callbacks are delivered. Times are real milliseconds. */
export interface CallbackPlan {
	shape: CallbackShape;
	/** Tries per delivery until one is answered with 2xx, 1 to 10. */
	attempts: number;
	/** Wait before the second try; doubled for each further one, divided by the sandbox's speed. */
	backoffMs: number;
	/** How long an answer is waited for. */
	timeoutMs: number;
	/** How many deliveries of each event. */
	copies: number;
	/** Between two copies; 0 sends them at the same moment. */
	copyGapMs: number;
	/** The callback comes this long before GET /status shows the end. */
	earlyMs: number;
	/** The callback comes this long after the end. */
	lateMs: number;
	/** No callback at all: it got lost. */
	never: boolean;
	/** One callback as soon as the task runs, too. */
	everyChange: boolean;
	/** The id in the body is not the task's, as with a provider behind the provider. */
	foreignId: boolean;
}

export const USUAL_CALLBACK_PLAN: CallbackPlan = {
	shape: 'envelope',
	attempts: 3,
	backoffMs: 1000,
	timeoutMs: 10_000,
	copies: 1,
	copyGapMs: 0,
	earlyMs: 0,
	lateMs: 0,
	never: false,
	everyChange: false,
	foreignId: false,
};

/** One try of one delivery. */
export interface Delivery {
	taskId: string;
	/** The status word it told. */
	told: string;
	shape: CallbackShape;
	/** From 1. */
	copy: number;
	/** From 1. */
	attempt: number;
	method: 'POST' | 'GET';
	url: string;
	/** Milliseconds since 1970. */
	at: number;
	answeredAt: number | null;
	/** HTTP status of the answer; null when there was none. */
	status: number | null;
	/** The start of the answer's body. */
	answer: string;
	/** Why there was no answer. */
	error: string | null;
}

/** A callback that was not sent because it would have left this machine. */
export interface RefusedCallback {
	taskId: string;
	url: string;
	reason: string;
}

export interface CallbacksOptions {
	plan: CallbackPlan;
	/** The sandbox's speed at this moment. */
	speed: () => number;
	/** The body of GET /status with or without the end. */
	envelope: (
		task: SandboxTask,
		asEnded: boolean,
	) => { code: number; message: string; data: Record<string, unknown> };
	/** Called after each new record. */
	changed: () => void;
}

const ANSWER_KEPT = 2000;

/** True for an http(s) URL whose host is this machine. */
export function isLoopbackUrl(url: string): boolean {
	if (!URL.canParse(url)) return false;
	const { protocol, hostname } = new URL(url);
	if (protocol !== 'http:' && protocol !== 'https:') return false;
	if (hostname === 'localhost' || hostname === '[::1]') return true;
	return isIPv4(hostname) && hostname.startsWith('127.');
}

export class Callbacks {
	readonly deliveries: Delivery[] = [];
	readonly refused: RefusedCallback[] = [];
	/** How callbacks are delivered unless a task or a prompt has its own plan. */
	plan: CallbackPlan;
	private readonly special: Array<{ match: string; plan: Partial<CallbackPlan> }> = [];
	private readonly underWay = new Set<Promise<void>>();
	private stop = newStop();

	constructor(private readonly options: CallbacksOptions) {
		this.plan = options.plan;
	}

	/** Another plan for one task: `match` is its id, or a part of its prompt. The last one that fits counts. */
	planFor(match: string, plan: Partial<CallbackPlan>): void {
		this.special.push({ match, plan });
	}

	/** The deliveries of one task, or all. */
	of(taskId: string): readonly Delivery[] {
		return this.deliveries.filter((delivery) => delivery.taskId === taskId);
	}

	/** Resolves when nothing is left to deliver, retries included. */
	async settled(): Promise<void> {
		while (this.underWay.size > 0) await Promise.all(this.underWay);
	}

	/** Tells that a task runs, where the plan wants every change told. */
	started(task: SandboxTask): void {
		if (this.planOf(task).everyChange) this.launch(task, this.planOf(task), false);
	}

	/** Tells a task's end. Answers how many milliseconds GET /status has to hide it. */
	ended(task: SandboxTask): number {
		const plan = this.planOf(task);
		if (task.order.callback_url === null || plan.never) return 0;
		this.launch(task, plan, true);
		return plan.earlyMs;
	}

	/**
	 * Delivers once more, or for the first time, whatever the plan said; resolves when it is done, retries included.
	 * Of the plan only what is given here is changed.
	 */
	async deliver(task: SandboxTask, changes: Partial<CallbackPlan> = {}): Promise<void> {
		await this.launch(task, { ...this.planOf(task), ...changes }, task.ended);
	}

	/** Gives up whatever is under way, and forgets all records and special plans. */
	clear(): void {
		this.stop.abort();
		this.stop = newStop();
		this.deliveries.length = 0;
		this.refused.length = 0;
		this.special.length = 0;
	}

	private planOf(task: SandboxTask): CallbackPlan {
		const fitting = this.special.filter(
			({ match }) => match === task.id || task.order.prompt.includes(match),
		);
		return { ...this.plan, ...fitting.at(-1)?.plan };
	}

	private launch(task: SandboxTask, plan: CallbackPlan, asEnded: boolean): Promise<void> {
		const url = task.order.callback_url;
		if (url === null) return Promise.resolve();
		if (!isLoopbackUrl(url)) {
			this.refused.push({ taskId: task.id, url, reason: 'The sandbox calls only 127.0.0.1' });
			this.options.changed();
			return Promise.resolve();
		}
		const { signal } = this.stop;
		const copies = Array.from({ length: plan.copies }, (_, index) =>
			this.deliverCopy(task, url, plan, asEnded, index + 1, signal),
		);
		const all = Promise.all(copies)
			.then(() => undefined)
			.finally(() => this.underWay.delete(all));
		this.underWay.add(all);
		return all;
	}

	private async deliverCopy(
		task: SandboxTask,
		url: string,
		plan: CallbackPlan,
		asEnded: boolean,
		copy: number,
		signal: AbortSignal,
	): Promise<void> {
		await pause((asEnded ? plan.lateMs : 0) + (copy - 1) * plan.copyGapMs, signal);
		const attempts = Math.min(10, Math.max(1, plan.attempts));
		for (let attempt = 1; attempt <= attempts && !signal.aborted; attempt += 1) {
			const delivery = await this.attempt(task, url, plan, asEnded, copy, attempt, signal);
			if (delivery.status !== null && delivery.status >= 200 && delivery.status < 300) return;
			if (attempt < attempts) {
				await pause((plan.backoffMs * 2 ** (attempt - 1)) / this.options.speed(), signal);
			}
		}
	}

	private async attempt(
		task: SandboxTask,
		url: string,
		plan: CallbackPlan,
		asEnded: boolean,
		copy: number,
		attempt: number,
		signal: AbortSignal,
	): Promise<Delivery> {
		const envelope = this.options.envelope(task, asEnded);
		const shown = plan.foreignId ? `other${randomBytes(8).toString('hex')}` : task.id;
		const sent = contentOf(plan.shape, { ...envelope, data: { ...envelope.data, task_id: shown } });
		const delivery: Delivery = {
			taskId: task.id,
			told: String(envelope.data.status),
			shape: plan.shape,
			copy,
			attempt,
			method: sent.method,
			url: plan.shape === 'get' ? withQuery(url, `task_id=${shown}`) : url,
			at: Date.now(),
			answeredAt: null,
			status: null,
			answer: '',
			error: null,
		};
		this.deliveries.push(delivery);
		try {
			const answer = await axios.request<string>({
				url: delivery.url,
				method: sent.method,
				data: sent.body,
				headers: sent.headers,
				timeout: plan.timeoutMs,
				signal,
				maxRedirects: 0,
				proxy: false,
				responseType: 'text',
				transformRequest: (body: unknown) => body,
				transformResponse: (body: unknown) => String(body ?? ''),
				validateStatus: () => true,
			});
			delivery.status = answer.status;
			delivery.answer = answer.data.slice(0, ANSWER_KEPT);
		} catch (error) {
			delivery.error = error instanceof Error ? error.message : String(error);
		}
		delivery.answeredAt = Date.now();
		this.options.changed();
		return delivery;
	}
}

/** Any number of deliveries may be under way at once. */
function newStop(): AbortController {
	const stop = new AbortController();
	setMaxListeners(0, stop.signal);
	return stop;
}

interface Content {
	method: 'POST' | 'GET';
	headers: Record<string, string>;
	body?: string | Buffer;
}

function contentOf(
	shape: CallbackShape,
	envelope: { code: number; message: string; data: Record<string, unknown> },
): Content {
	const { data } = envelope;
	const json = (body: unknown): Content => ({
		method: 'POST',
		headers: { 'content-type': 'application/json' },
		body: JSON.stringify(body),
	});
	switch (shape) {
		case 'envelope':
			return json(envelope);
		case 'data':
			return json(data);
		case 'neighbour':
			return json({
				code: 200,
				msg: 'success',
				data: {
					taskId: data.task_id,
					state: neighbourState(data.status),
					resultJson: JSON.stringify({ resultUrls: data.response ?? [] }),
				},
			});
		case 'empty':
			return { method: 'POST', headers: {} };
		case 'get':
			return { method: 'GET', headers: {} };
		case 'form':
			return {
				method: 'POST',
				headers: { 'content-type': 'application/x-www-form-urlencoded' },
				body: new URLSearchParams({
					task_id: String(data.task_id),
					status: String(data.status),
				}).toString(),
			};
		case 'garbage':
			return {
				method: 'POST',
				headers: { 'content-type': 'application/octet-stream' },
				body: Buffer.concat([Buffer.from([0x00, 0xff, 0xfe, 0x7b, 0x22, 0xc3]), randomBytes(58)]),
			};
	}
}

function neighbourState(status: unknown): string {
	if (status === 'SUCCESS') return 'success';
	return status === 'FAILED' ? 'fail' : 'generating';
}

/** Adds to a URL's query as text: parsing and printing it again could change what was signed. */
function withQuery(url: string, addition: string): string {
	const [beforeHash, hash] = splitAt(url, '#');
	return `${beforeHash}${beforeHash.includes('?') ? '&' : '?'}${addition}${hash}`;
}

function splitAt(text: string, mark: string): [string, string] {
	const at = text.indexOf(mark);
	return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at)];
}

/** Waits so many real milliseconds, or until the signal says stop. */
export async function pause(ms: number, signal?: AbortSignal): Promise<void> {
	if (ms <= 0 || signal?.aborted) return;
	await new Promise<void>((resolve) => {
		const done = () => {
			clearTimeout(timer);
			signal?.removeEventListener('abort', done);
			resolve();
		};
		const timer = setTimeout(done, ms);
		timer.unref();
		signal?.addEventListener('abort', done, { once: true });
	});
}
