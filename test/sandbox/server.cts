// Starts the sandbox: a faithful simulation of the Seedance API on this machine, with a ledger, faults and control of time.
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

import { addApi } from './api.cjs';
import { Callbacks, type CallbackPlan } from './callbacks.cjs';
import { htmlResponse, type ErrorShape } from './contract.cjs';
import type { OrderV1 } from './contractV1.cjs';
import type { OrderV2 } from './contractV2.cjs';
import { addControl } from './control.cjs';
import { Faults } from './faults.cjs';
import { Ledger, type Account } from './ledger.cjs';
import {
	TaskStore,
	VirtualClock,
	type Outcome,
	type SandboxTask,
	type ShownVideo,
	type TaskPlan,
} from './tasks.cjs';
import { openUnreachable, portOf, urlsAt } from './unreachable.cjs';
import { termsOf, type VideoOrder } from './versions.cjs';
import { addVideos } from './videos.cjs';

export * from './contract.cjs';
export * from './contractV1.cjs';
export * from './contractV2.cjs';
export type * from './ledger.cjs';
export { ENCODINGS, FAULT_KINDS, VIDEO_BODIES, WRONG_SHAPES, routesOf } from './faults.cjs';
export type { Fault, FaultKind, FaultMatch, FaultRule, WrongShape } from './faults.cjs';
export * from './forms.cjs';
export { ROUTES } from './limits.cjs';
export type { AccountName, RateLimit, Route } from './limits.cjs';
export { termsOf, type VideoOrder } from './versions.cjs';
export { UNREACHABLE_KINDS, type UnreachableKind } from './unreachable.cjs';
export { CALLBACK_SHAPES } from './callbacks.cjs';
export type { CallbackPlan, CallbackShape, Delivery } from './callbacks.cjs';
export type { LinkPlan, Outcome, SandboxTask, TaskPlan } from './tasks.cjs';

export interface SandboxOptions {
	/** Port on 127.0.0.1; default 0, a free one. */
	port?: number;
	apiKey?: string;
	/** Credits of the main account; default 1,000,000. */
	credits?: number;
	/** Virtual seconds per real second; default 1. Tasks take 50, 75 and 105 virtual seconds, those of version 2 120 to 600. */
	speed?: number;
	/** Seeds how long each task of version 2 takes; default 1. */
	seed?: number;
	/** Virtual seconds of every task instead. */
	taskSeconds?: number | ((order: VideoOrder) => number);
	/** The shape of the API's own errors; default `string-code`. */
	errorShape?: ErrorShape;
	/** How callbacks are delivered; what is not given is as usual: once, at the end, the whole envelope, 3 tries. */
	callbacks?: Partial<CallbackPlan>;
	/** Every video is a synthetic body of so many bytes instead of a playable clip. */
	videoBytes?: number;
	log?: (line: string) => void;
}

/** A request that reached the second server, where redirects lead. */
interface ElsewhereRequest {
	method: string;
	url: string;
	headers: Record<string, string | string[] | undefined>;
	body: string;
}

const HOST = '127.0.0.1';
const PLENTY_OF_CREDITS = 1_000_000;
const GOODBYE_MS = 500;
const BODY_LIMIT = 20 * 1024 * 1024;

const SOME_ORDER: OrderV1 = {
	prompt: 'A paper boat on a quiet lake',
	aspect_ratio: '9:16',
	resolution: '720p',
	duration: '8',
	generate_audio: false,
	fixed_lens: false,
	image_urls: [],
	callback_url: null,
};

/** Starts a sandbox. Rejects when the port is in use (`code` is `EADDRINUSE`). Close it when done. */
export async function startSandbox(options: SandboxOptions = {}): Promise<Sandbox> {
	const sandbox = new Sandbox(options);
	await sandbox.open();
	return sandbox;
}

const newApiKey = () => `sk-sandbox-${randomBytes(12).toString('hex')}`;

function newServer(): FastifyInstance {
	const app = fastify({
		forceCloseConnections: true,
		bodyLimit: BODY_LIMIT,
		ajv: { customOptions: { coerceTypes: false, removeAdditional: false } },
	});
	app.removeAllContentTypeParsers();
	app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
	return app;
}

export class Sandbox {
	origin = '';
	/** A second server, on another port: where redirects lead unless a fault says otherwise. */
	readonly elsewhere = { origin: '', requests: new Array<ElsewhereRequest>() };
	/** Base URLs at which a request never leaves its caller, by the reason; each ends in `/v1`. */
	unreachable = urlsAt({ http: 0, silent: 0, closing: 0 });
	readonly accounts: { readonly main: Account; readonly other: Account };
	readonly otherAccount: Account & {
		/** Starts a task that the main account must not see, and gives its id. */
		createTask: (order?: Partial<OrderV1> | OrderV2, plan?: TaskPlan) => string;
	};
	readonly ledger: Ledger;
	readonly tasks: TaskStore;
	readonly faults = new Faults();
	readonly callbacks: Callbacks;
	errorShape: ErrorShape;
	videoBytes: number | null;
	/** GET /status of either version knows the tasks of both. No page says so; by default each knows its own alone. */
	eitherVersion = false;
	/** The firewall lets only clients with an ordinary `User-Agent` through: a name of their own and a version. */
	firewall = false;
	/** Responses that do not come: hanging, and dripping ones. */
	readonly hanging = new Set<ServerResponse>();
	readonly log: (line: string) => void;
	/** Ends a task now. Throws when there is no such running task. */
	readonly finish = (taskId: string, outcome?: Outcome): void =>
		void this.tasks.finish(taskId, outcome);
	private readonly clock: VirtualClock;
	private readonly app = newServer();
	private readonly secondApp = newServer();
	private readonly sockets = new Set<Socket>();
	private hasVirtualLimits = false;
	private isDown = false;
	private closing: Promise<unknown> | null = null;
	private closeUnreachable = async () => {};

	constructor(private readonly options: SandboxOptions) {
		const { credits = PLENTY_OF_CREDITS } = options;
		const other: Account = { name: 'other', apiKey: newApiKey(), balance: PLENTY_OF_CREDITS };
		this.otherAccount = Object.assign(other, {
			createTask: (order: Partial<OrderV1> | OrderV2 = {}, plan?: TaskPlan) => {
				const whole: VideoOrder = 'model' in order ? order : { ...SOME_ORDER, ...order };
				const task = this.tasks.create(other, whole, termsOf(whole).credits, plan);
				this.ledger.charge(task, null);
				return task.id;
			},
		});
		const apiKey = options.apiKey ?? newApiKey();
		this.accounts = { main: { name: 'main', apiKey, balance: credits }, other };
		this.ledger = new Ledger(this.accounts);
		this.clock = new VirtualClock(options.speed ?? 1);
		this.tasks = new TaskStore(this.clock, options.taskSeconds, (task) => {
			const { status, charged } = task.outcome;
			if (status === 'FAILED' && !charged) this.ledger.refund(task.account, task.id);
			this.log(`Task ${task.id} has ended: ${status}`);
			this.ledger.changed();
			return this.callbacks.ended(task);
		});
		this.tasks.seed = options.seed ?? this.tasks.seed;
		this.faults.limits.secondsToEnds = (account) =>
			this.tasks.secondsToEnds(account, this.virtualLimits ? 1 : this.speed);
		this.callbacks = new Callbacks(this, options.callbacks);
		this.errorShape = options.errorShape ?? 'string-code';
		this.videoBytes = options.videoBytes ?? null;
		this.log = options.log ?? (() => undefined);
	}

	/** Base URL of the API, ends in `/v1`. */
	get baseUrl(): string {
		return `${this.origin}/v1`;
	}

	get baseUrlV2(): string {
		return `${this.origin}/v2`;
	}

	get controlUrl(): string {
		return `${this.origin}/_sandbox`;
	}

	/** A base URL at which every path returns a web page under HTTP 200: a wrong address that looks right. */
	get websiteUrl(): string {
		return `${this.origin}/website`;
	}

	get apiKey(): string {
		return this.accounts.main.apiKey;
	}

	/** Virtual seconds per real second; may be set at any time. */
	get speed(): number {
		return this.clock.speed;
	}

	set speed(speed: number) {
		this.clock.speed = speed;
		this.tasks.rearm();
	}

	/** Whether limits count in virtual seconds, for a caller whose own clock runs as fast. Default real ones. */
	get virtualLimits(): boolean {
		return this.hasVirtualLimits;
	}

	set virtualLimits(isVirtual: boolean) {
		this.hasVirtualLimits = isVirtual;
		this.faults.limits.now = isVirtual ? () => this.tasks.now() : Date.now;
	}

	get seed(): number {
		return this.tasks.seed;
	}

	set seed(seed: number) {
		this.tasks.seed = seed;
	}

	/** The video of a task as a response shows it; asking for its address is what makes a fresh link. */
	shownVideo(task: SandboxTask): ShownVideo {
		return {
			isThere: this.tasks.hasUrl(task),
			url: () => {
				const link = this.tasks.showLink(task);
				const query = link === null ? '' : `?link=${link}`;
				return `${this.origin}/videos/${encodeURIComponent(task.id)}.mp4${query}`;
			},
		};
	}

	/** The account whose key a request carries; null without a valid one. */
	accountOf({ headers }: FastifyRequest): Account | null {
		const [, key] = /^Bearer (\S+)$/.exec(headers.authorization ?? '') ?? [];
		return Object.values(this.accounts).find(({ apiKey }) => apiKey === key) ?? null;
	}

	/** What the ledger keeps of a request. A key in it becomes the name of its account; any other may be a real one. */
	entryOf(request: FastifyRequest) {
		const safe = (name: string, value: string) => {
			const text = this.ledger.redact(value);
			const isForeign = name === 'authorization' && !text.includes('<key of ');
			return isForeign ? text.replace(/\s.*$/s, ' <unknown key>') : text;
		};
		const headers: Record<string, string> = Object.fromEntries(
			Object.entries(request.headers).map(([name, value]) => [name, safe(name, String(value))]),
		);
		return {
			at: Date.now(),
			url: this.ledger.redact(request.url),
			account: this.accountOf(request)?.name ?? null,
			headers,
			fault: null,
			answered: null,
		};
	}

	/** Cuts the connections of all responses that hang or drip; gives how many callers were still waiting. */
	cutHanging(): number {
		const waiting = [...this.hanging].filter(({ destroyed }) => !destroyed);
		for (const response of waiting) response.socket?.resetAndDestroy();
		this.hanging.clear();
		return waiting.length;
	}

	/** Back to the beginning: no tasks, empty ledger, no faults, full balance. */
	reset(): void {
		this.tasks.clear();
		this.faults.reset();
		this.callbacks.clear();
		this.ledger.clear();
		this.elsewhere.requests.length = 0;
		this.accounts.main.balance = this.options.credits ?? PLENTY_OF_CREDITS;
		this.otherAccount.balance = PLENTY_OF_CREDITS;
	}

	/** Starts listening. {@link startSandbox} calls it. */
	async open(): Promise<void> {
		const { app, secondApp, ledger } = this;
		addApi(app, this);
		addVideos(app, this, true);
		addControl(app, this);
		const pageAs = (status: number, title: string) => (_: FastifyRequest, reply: FastifyReply) =>
			reply
				.code(status)
				.headers(htmlResponse(status).headers)
				.send(htmlResponse(status, title).body);
		app.all('/website/*', pageAs(200, 'Welcome'));
		app.setNotFoundHandler(pageAs(404, 'Not Found'));

		addVideos(secondApp, this, false);
		secondApp.addHook('preHandler', async ({ method, url, headers, body }) => {
			if (headers.authorization !== undefined && !url.startsWith('/videos/')) {
				ledger.recordLeak('other origin', url);
			}
			const text = Buffer.isBuffer(body) ? body.toString('utf8') : '';
			this.elsewhere.requests.push({ method, url, headers: { ...headers }, body: text });
		});
		secondApp.setNotFoundHandler((_request, reply) => reply.send({ elsewhere: true }));

		await app.listen({ host: HOST, port: this.options.port ?? 0 });
		const port = portOf(app.server.address());
		this.origin = `http://${HOST}:${port}`;
		this.elsewhere.origin = await secondApp.listen({ host: HOST, port: 0 });
		const { urls, close } = await openUnreachable(port);
		this.unreachable = urls;
		this.closeUnreachable = close;
		app.server.on('connection', (socket) => {
			this.sockets.add(socket);
			socket.once('close', () => this.sockets.delete(socket));
		});
	}

	/** Stops listening and cuts all connections, so that callers are refused. */
	async goDown(): Promise<void> {
		if (this.isDown) return;
		this.isDown = true;
		await Promise.all([...this.sockets].map(hangUp));
		await new Promise<void>((resolve) => {
			this.app.server.close(() => resolve());
			this.app.server.closeAllConnections();
		});
	}

	async comeBack(): Promise<void> {
		if (!this.isDown) return;
		await once(this.app.server.listen(Number(new URL(this.origin).port), HOST), 'listening');
		this.isDown = false;
	}

	async close(): Promise<void> {
		this.closing ??= (async () => {
			this.tasks.clear();
			this.callbacks.clear();
			// A server that is down cannot be closed, so it comes back for a moment.
			await this.comeBack().catch(() => undefined);
			await Promise.all([this.app.close(), this.secondApp.close(), this.closeUnreachable()]);
		})();
		await this.closing;
	}
}

/**
 * Says goodbye on a connection and waits until the caller has understood, so that it is not used again: a caller that
 * comes later is refused rather than cut off. One that does not respond is cut after a moment.
 */
async function hangUp(socket: Socket): Promise<void> {
	const timer = setTimeout(() => socket.destroy(), GOODBYE_MS);
	await new Promise((resolve) => socket.once('close', resolve).end());
	clearTimeout(timer);
}
