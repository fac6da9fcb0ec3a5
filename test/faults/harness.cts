// Where the schedules of the fault suite run: a sandbox and n8n's engine on one clock that jumps, and a record of every
// request, of the fault that it met, and of when that was.
import type { AxiosStatic } from 'axios';
import { BinaryDataService } from 'n8n-core';
import { createRequire } from 'node:module';
import { Readable } from 'node:stream';

import * as clock from '../../nodes/shared/n8n/clock';
import {
	startSandbox,
	type Fault,
	type PostEntry,
	type Route,
	type SandboxTask,
	type StatusRead,
	type TaskPlan,
	type VideoOrder,
	type VideoRead,
} from '../sandbox/server.cjs';
import { requireAsCore, startEngine } from '../support/engine.cjs';
import { JumpClock } from './jumpClock.cjs';

const VIDEO_BYTES = 2_000;
export const CREDENTIAL = 'Main account';
/** Distinguishes the requests, for the clock. */
const NTH_HEADER = 'x-nth-request';

/** A request, and the fault that it met. */
export interface Exchange<T> {
	entry: T;
	fault: Fault | null;
	/** Virtual milliseconds since 1970. */
	at: number;
}

/** A read of a task, and whether that task had ended by then. */
export interface ReadExchange extends Exchange<StatusRead> {
	hasEnded: boolean;
}

export type Harness = Awaited<ReturnType<typeof openHarness>>;

/**
 * Lets the clock wait for every HTTP request of n8n's, a streamed body included, but for those to where `isSilent` says that
 * that never gets a response. A parked request never gets one, and is not waited for: its caller has to end it when its
 * own time is up.
 */
function trackRequests(time: JumpClock, isSilent: (url: string) => boolean) {
	const network = createRequire(requireAsCore.resolve('@n8n/backend-network'));
	const axios: AxiosStatic = network('axios');
	const ends = new Map<string, () => void>();
	const parked = new Set<string>();
	let count = 0;
	const interceptor = axios.interceptors.request.use((config) => {
		const send = axios.getAdapter(config.adapter);
		const nth = String((count += 1));
		config.headers.set(NTH_HEADER, nth);
		return {
			...config,
			// A limit of silence in real time would strike by chance on a busy machine: the node's own clock has to end a call.
			timeout: 0,
			adapter: async (given) => {
				const over = time.begin();
				ends.set(nth, over);
				const end = () => {
					ends.delete(nth);
					parked.delete(nth);
					over();
				};
				if (isSilent(given.url ?? '')) over();
				try {
					const response = await send(given);
					const body: unknown = response.data;
					if (body instanceof Readable && !body.destroyed) body.once('close', end);
					else end();
					return response;
				} catch (error) {
					end();
					throw error;
				}
			},
		};
	});
	return {
		park: (headers: Readonly<Record<string, string>>) => {
			const nth = headers[NTH_HEADER];
			if (!nth || !ends.has(nth)) return;
			parked.add(nth);
			ends.get(nth)?.();
		},
		parked: () => parked.size,
		end: () => axios.interceptors.request.eject(interceptor),
	};
}

/** Whether a fault leaves its caller waiting for ever. */
const isEndless = (fault: Fault | null): boolean =>
	(fault?.kind === 'hang' || fault?.kind === 'accept-then-hang' || fault?.kind === 'drip') &&
	fault.ms === undefined;

/** Lets the clock wait for every file that is stored. */
function trackFiles(time: JumpClock): void {
	const { Container }: { Container: { get: (type: unknown) => BinaryDataService } } =
		requireAsCore('@n8n/di');
	// The engine has put its own part around the true one, which a second would replace.
	const spy = jest.spyOn(Container.get(BinaryDataService), 'store');
	const store = spy.getMockImplementation();
	if (!store) throw new Error('The test engine no longer watches the binary store');
	spy.mockImplementation(async (...file) => await store(...file).finally(time.begin()));
}

/** Starts a harness. One per test file; close it when done. Needs jest. */
export async function openHarness() {
	const time = new JumpClock();
	// Its own clock stands still: tasks are ended here, when the jumping one says so.
	const sandbox = await startSandbox({
		speed: 0,
		videoBytes: VIDEO_BYTES,
		callbacks: { never: true },
	});
	// The engine makes deadlines longer for a clock that runs fast; this one jumps.
	const n8n = await startEngine({ clockSpeed: 1 });
	jest.spyOn(clock, 'realClock').mockImplementation((signal) => time.clock(signal));
	trackFiles(time);
	const tracker = trackRequests(time, (url) => url.startsWith(sandbox.unreachable['silent-tls']));
	const { tasks, faults, ledger } = sandbox;
	tasks.now = () => time.now();
	faults.limits.now = () => time.now();

	// The keys stand in the credential: those in a row would be in the output.
	const byRow = `={{ $('Start').all()[$itemIndex].json.account === 'other' ? '${sandbox.otherAccount.apiKey}' : '${sandbox.apiKey}' }}`;
	/** When each task was made, in virtual milliseconds. */
	const made = new Map<SandboxTask, number>();
	const hooks = () => ({
		/** The ending of a task that is about to be created; `nth` counts those with this prompt, from 1. */
		planOf: (_order: VideoOrder, _nth: number): TaskPlan => ({}),
		/** Called when a request arrives, before it gets a response. */
		onRequest: (_route: Route): void => undefined,
		onJump: (): void => undefined,
	});
	const posts: Array<Exchange<PostEntry>> = [];
	const reads: ReadExchange[] = [];
	const videos: Array<Exchange<VideoRead>> = [];
	const harness = {
		...hooks(),
		sandbox,
		n8n,
		time,
		/** Every request since the last `reset`, in order of arrival. */
		requests: { posts, reads, videos },
		/** Virtual milliseconds since 1970 at which a running task will end; Infinity for never. */
		endOf: (task: SandboxTask) =>
			// Of a sandbox whose clock stands still, `endsAt` is how long a task takes.
			(made.get(task) ?? 0) + task.endsAt,
		/** Which account the node's credential gives, and where: by the row of the item, or always the main one. */
		setCredential: (account: 'byRow' | 'main', baseUrl = sandbox.baseUrl) => {
			const apiKey = account === 'byRow' ? byRow : sandbox.apiKey;
			n8n.credentials.set(CREDENTIAL, { apiKey, baseUrl });
		},
		/** Requests that never get a response and whose caller still waits. */
		openRequests: () => tracker.parked(),
		reset: () => {
			Object.assign(harness, hooks());
			time.reset();
			sandbox.cutHanging();
			sandbox.reset();
			harness.setCredential('main');
			made.clear();
			for (const list of [posts, reads, videos, n8n.logs]) list.length = 0;
		},
		close: async () => {
			// What the last schedule has left asleep must not wake beside a sandbox without its tasks.
			time.reset();
			time.latest = time.now();
			made.clear();
			tracker.end();
			await sandbox.close();
			await n8n.close();
		},
	};

	time.onJump = (now) => {
		for (const task of made.keys()) {
			// One that takes no time at all ends when it is read.
			if (harness.endOf(task) <= now && !tasks.get(task.id)?.ended) sandbox.finish(task.id);
		}
		harness.onJump();
	};
	const create = tasks.create.bind(tasks);
	tasks.create = (account, order, credits, plan = {}) => {
		const nth = tasks.all().filter((task) => task.order.prompt === order.prompt).length + 1;
		const task = create(account, order, credits, { ...harness.planOf(order, nth), ...plan });
		made.set(task, time.now());
		return task;
	};
	const take = faults.take.bind(faults);
	// Called right after the request was written into the ledger, and before anything else can be.
	faults.take = (route, target) => {
		const fault = take(route, target);
		const post = ledger.posts().at(-1);
		const read = ledger.statusEntries.at(-1);
		const video = ledger.videoEntries.at(-1);
		const met = { fault, at: time.now() };
		if (route === 'generate' && post) posts.push({ entry: post, ...met });
		if (route === 'video' && video) videos.push({ entry: video, ...met });
		if (route === 'status' && read) {
			const hasEnded = tasks.get(read.taskId ?? '')?.ended ?? false;
			reads.push({ entry: read, ...met, hasEnded });
		}
		const entry = { generate: post, status: read, video }[route];
		if (entry && isEndless(fault)) tracker.park(entry.headers);
		harness.onRequest(route);
		return fault;
	};
	harness.reset();
	return harness;
}
