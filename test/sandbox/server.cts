// Starts the sandbox: a faithful simulation of the Seedance API on this machine, with books, faults and control of time.
import fastify, { type FastifyInstance } from 'fastify';
import { randomBytes } from 'node:crypto';
import type { AddressInfo, Socket } from 'node:net';

import { addApi, creditsOf } from './api.cjs';
import { Callbacks, USUAL_CALLBACK_PLAN, type CallbackPlan } from './callbacks.cjs';
import { htmlAnswer, type ErrorShape, type VideoOrder } from './contract.cjs';
import { addControl } from './control.cjs';
import { Faults } from './faults.cjs';
import { Ledger, type Account } from './ledger.cjs';
import { shownVideo, type SandboxState } from './state.cjs';
import {
	statusEnvelope,
	TaskStore,
	VirtualClock,
	type Outcome,
	type SandboxTask,
	type TaskPlan,
} from './tasks.cjs';
import { openUnreachable, type UnreachableKind } from './unreachable.cjs';
import { addVideos } from './videos.cjs';

export * from './contract.cjs';
export type * from './ledger.cjs';
export { ENCODINGS, FAULT_KINDS, VIDEO_BODIES, WRONG_SHAPES, routesOf } from './faults.cjs';
export type { Fault, FaultKind, FaultMatch, FaultRule, WrongShape } from './faults.cjs';
export * from './forms.cjs';
export { ROUTES } from './limits.cjs';
export type { AccountName, RateLimit, Route } from './limits.cjs';
export { UNREACHABLE_KINDS, type UnreachableKind } from './unreachable.cjs';
export { CALLBACK_SHAPES } from './callbacks.cjs';
export type { CallbackPlan, CallbackShape, Delivery } from './callbacks.cjs';
export type { LinkPlan, Outcome, SandboxTask, TaskPlan } from './tasks.cjs';

export interface SandboxOptions {
	/** Port on 127.0.0.1; default 0, a free one. */
	port?: number;
	/** Key of the main account; default a random one. */
	apiKey?: string;
	/** Credits of the main account; default 1,000,000. */
	credits?: number;
	/** Credits of the other account; default 1,000,000. */
	otherCredits?: number;
	/** Virtual seconds per real second; default 1. Tasks take 50, 75 and 105 virtual seconds. */
	speed?: number;
	/** Virtual seconds of every task instead. */
	taskSeconds?: number | ((order: VideoOrder) => number);
	/** Real milliseconds added to every answer of the API; default 0. */
	latencyMs?: number;
	/** The shape of the API's own errors; default `string-code`. */
	errorShape?: ErrorShape;
	/** How callbacks are delivered; what is not given is as usual: once, at the end, the whole envelope, 3 tries. */
	callbacks?: Partial<CallbackPlan>;
	/** Every video is a synthetic body of so many bytes instead of a playable clip. */
	videoBytes?: number;
	/** Gets one line for each thing that happens. */
	log?: (line: string) => void;
}

/** A request that reached the second server, where redirects lead. */
export interface ElsewhereRequest {
	method: string;
	url: string;
	headers: Record<string, string | string[] | undefined>;
	body: string;
}

export interface Sandbox {
	/** Base URL of the API, ends in `/v1`. */
	readonly baseUrl: string;
	/** Address without a path. */
	readonly origin: string;
	/** Address of the control endpoint. */
	readonly controlUrl: string;
	/** A base URL at which every path answers a web page under HTTP 200: a wrong address that looks right. */
	readonly websiteUrl: string;
	readonly apiKey: string;
	/** A second account with its own key and tasks. */
	readonly otherAccount: {
		readonly apiKey: string;
		/** Credits left; may be set at any time. */
		balance: number;
		/** Starts a task that the main account must not see, and gives its id. */
		createTask: (order?: Partial<VideoOrder>, plan?: TaskPlan) => string;
	};
	readonly ledger: Ledger;
	readonly tasks: TaskStore;
	readonly faults: Faults;
	readonly callbacks: Callbacks;
	/** Base URLs at which a request never leaves its caller, by the reason; each ends in `/v1`. */
	readonly unreachable: Readonly<Record<UnreachableKind, string>>;
	/** A second server, on another port: where redirects lead unless a fault says otherwise. */
	readonly elsewhere: { readonly origin: string; readonly requests: readonly ElsewhereRequest[] };
	/** Virtual seconds per real second; may be set at any time. */
	speed: number;
	latencyMs: number;
	errorShape: ErrorShape;
	videoBytes: number | null;
	/** Ends a task now. Throws when there is no such running task. */
	finish: (taskId: string, outcome?: Outcome) => void;
	/** Cuts the connections of all answers that hang or drip; gives how many callers were still waiting. */
	cutHanging: () => number;
	/** Back to the beginning: no tasks, empty books, no faults, full balance. */
	reset: () => void;
	/** Stops listening and cuts all connections, so that callers are refused. */
	goDown: () => Promise<void>;
	/** Listens again on the same port. */
	comeBack: () => Promise<void>;
	/** Stops for good. May be called twice. */
	close: () => Promise<void>;
}

const HOST = '127.0.0.1';
const PLENTY_OF_CREDITS = 1_000_000;
const GOODBYE_MS = 500;
const BODY_LIMIT = 20 * 1024 * 1024;

/**
 * Starts a sandbox and resolves when it takes requests. Rejects when the port is in use (`code` is `EADDRINUSE`).
 * Close it when done.
 */
export async function startSandbox(options: SandboxOptions = {}): Promise<Sandbox> {
	const { credits = PLENTY_OF_CREDITS, otherCredits = PLENTY_OF_CREDITS } = options;
	const accounts: SandboxState['accounts'] = {
		main: { name: 'main', apiKey: options.apiKey ?? newApiKey(), balance: credits },
		other: { name: 'other', apiKey: newApiKey(), balance: otherCredits },
	};
	const ledger = new Ledger([accounts.main, accounts.other]);
	const clock = new VirtualClock(options.speed ?? 1);
	const app = newServer();
	const secondApp = newServer();
	const requests: ElsewhereRequest[] = [];

	const state: SandboxState = {
		accounts,
		ledger,
		clock,
		faults: new Faults(),
		tasks: new TaskStore({
			clock,
			taskSeconds: options.taskSeconds,
			onEnd: (task) => {
				if (task.outcome.status === 'FAILED') ledger.refund(task.id);
				state.log(`Task ${task.id} has ended: ${task.outcome.status}`);
				ledger.changed();
				return state.callbacks.ended(task);
			},
		}),
		callbacks: new Callbacks({
			plan: { ...USUAL_CALLBACK_PLAN, ...options.callbacks },
			speed: () => clock.speed,
			envelope: (task, asEnded) => statusEnvelope(task, shownVideo(state, task), asEnded),
			changed: () => ledger.changed(),
		}),
		latencyMs: options.latencyMs ?? 0,
		errorShape: options.errorShape ?? 'string-code',
		videoBytes: options.videoBytes ?? null,
		origin: () => origin,
		elsewhere: () => secondOrigin,
		foreignTaskId: () => createTask(accounts.other).id,
		hanging: new Set(),
		log: options.log ?? (() => undefined),
	};

	const createTask = (
		account: Account,
		order: Partial<VideoOrder> = {},
		plan?: TaskPlan,
	): SandboxTask => {
		const whole: VideoOrder = { ...SOME_ORDER, ...order };
		const price = creditsOf(whole);
		const task = state.tasks.create(account, whole, price, plan);
		ledger.charge(account, task.id, price, null);
		return task;
	};

	const setSpeed = (speed: number) => {
		clock.speed = speed;
		state.tasks.rearm();
	};

	const reset = () => {
		state.tasks.clear();
		state.tasks.plan = {};
		state.faults.reset();
		state.callbacks.clear();
		ledger.clear();
		requests.length = 0;
		accounts.main.balance = credits;
		accounts.other.balance = otherCredits;
	};

	const cutHanging = () => {
		const waiting = [...state.hanging].filter(({ destroyed }) => !destroyed);
		for (const answer of waiting) answer.socket?.resetAndDestroy();
		state.hanging.clear();
		return waiting.length;
	};

	addApi(app, state);
	addVideos(app, state, true);
	addControl(app, state, { reset, setSpeed, unreachable: () => unreachable.urls });
	app.all('/website/*', (_request, reply) => {
		const page = htmlAnswer(200, 'Welcome');
		return reply.code(200).headers(page.headers).send(page.body);
	});
	app.setNotFoundHandler((_request, reply) => {
		const page = htmlAnswer(404, 'Not Found');
		return reply.code(404).headers(page.headers).send(page.body);
	});

	addVideos(secondApp, state, false);
	secondApp.addHook('onRequest', async (request) => {
		if (request.headers.authorization !== undefined && !request.url.startsWith('/videos/')) {
			ledger.recordLeak('other origin', request.url);
		}
	});
	secondApp.addHook('preHandler', async (request) => {
		requests.push({
			method: request.method,
			url: request.url,
			headers: { ...request.headers },
			body: Buffer.isBuffer(request.body) ? request.body.toString('utf8') : '',
		});
	});
	secondApp.setNotFoundHandler((_request, reply) => reply.code(200).send({ elsewhere: true }));

	await app.listen({ host: HOST, port: options.port ?? 0 });
	const { port } = addressOf(app);
	const origin = `http://${HOST}:${port}`;
	await secondApp.listen({ host: HOST, port: 0 });
	const secondOrigin = `http://${HOST}:${addressOf(secondApp).port}`;

	const unreachable = await openUnreachable(HOST, port);

	const sockets = new Set<Socket>();
	app.server.on('connection', (socket) => {
		sockets.add(socket);
		socket.once('close', () => sockets.delete(socket));
	});
	let down = false;
	let closing: Promise<void> | null = null;

	const comeBack = async () => {
		if (!down) return;
		await new Promise<void>((resolve, reject) => {
			app.server.once('error', reject);
			app.server.listen(port, HOST, () => {
				app.server.off('error', reject);
				resolve();
			});
		});
		down = false;
	};

	return {
		baseUrl: `${origin}/v1`,
		origin,
		controlUrl: `${origin}/_sandbox`,
		websiteUrl: `${origin}/website`,
		apiKey: accounts.main.apiKey,
		otherAccount: {
			apiKey: accounts.other.apiKey,
			get balance() {
				return accounts.other.balance;
			},
			set balance(left) {
				accounts.other.balance = left;
			},
			createTask: (order, plan) => createTask(accounts.other, order, plan).id,
		},
		unreachable: unreachable.urls,
		ledger,
		tasks: state.tasks,
		faults: state.faults,
		callbacks: state.callbacks,
		elsewhere: { origin: secondOrigin, requests },
		get speed() {
			return clock.speed;
		},
		set speed(speed) {
			setSpeed(speed);
		},
		get latencyMs() {
			return state.latencyMs;
		},
		set latencyMs(ms) {
			state.latencyMs = ms;
		},
		get errorShape() {
			return state.errorShape;
		},
		set errorShape(shape) {
			state.errorShape = shape;
		},
		get videoBytes() {
			return state.videoBytes;
		},
		set videoBytes(bytes) {
			state.videoBytes = bytes;
		},
		finish: (taskId, outcome) => void state.tasks.finish(taskId, outcome),
		cutHanging,
		reset,
		goDown: async () => {
			if (down) return;
			down = true;
			await hangUp(sockets);
			await new Promise<void>((resolve) => {
				app.server.close(() => resolve());
				app.server.closeAllConnections();
			});
		},
		comeBack,
		close: async () => {
			closing ??= (async () => {
				state.tasks.clear();
				state.callbacks.clear();
				// A server that is down cannot be closed, so it comes back for a moment.
				await comeBack().catch(() => undefined);
				await Promise.all([app.close(), secondApp.close(), unreachable.close()]);
			})();
			await closing;
		},
	};
}

const SOME_ORDER: VideoOrder = {
	prompt: 'A paper boat on a quiet lake',
	aspect_ratio: '9:16',
	resolution: '720p',
	duration: '8',
	generate_audio: false,
	fixed_lens: false,
	image_urls: [],
	callback_url: null,
};

function newServer(): FastifyInstance {
	const app = fastify({ forceCloseConnections: true, bodyLimit: BODY_LIMIT });
	app.removeAllContentTypeParsers();
	app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
	return app;
}

function addressOf(app: FastifyInstance): AddressInfo {
	const address = app.server.address();
	if (address === null || typeof address === 'string') throw new Error('The sandbox has no port');
	return address;
}

/**
 * Says goodbye on every connection and waits until the caller has understood, so that none of them is used again: a
 * caller that comes later is refused rather than cut off. One that does not answer is cut after a moment.
 */
async function hangUp(sockets: Iterable<Socket>): Promise<void> {
	const goodbyes = [...sockets].map(async (socket) => {
		const timer = setTimeout(() => socket.destroy(), GOODBYE_MS);
		socket.end();
		await new Promise<void>((resolve) => socket.once('close', () => resolve()));
		clearTimeout(timer);
	});
	await Promise.all(goodbyes);
}

function newApiKey(): string {
	return `sk-sandbox-${randomBytes(12).toString('hex')}`;
}
