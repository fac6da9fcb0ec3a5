/**
 * A proxy on loopback that ends TLS, so that n8n's own nodes talk to stand-ins for the networks: n8n is started with `env()`.
 * It passes nothing on to anybody. What is sent to an address that no network has is kept in `strays`, what a network does
 * not know in `mistakes`; both have to be empty after every test.
 *
 *     const proxy = new NetworkProxy([youtube]);
 *     useN8n(undefined, async () => await proxy.start());
 *     proxy.trouble(/^PUT www.googleapis.com/, 'lost response');
 */
import { mkdtempSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { Server, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
	generateCACertificate,
	getLocal,
	type CompletedRequest,
	type Mockttp,
	type requestSteps,
} from 'mockttp';

import { isRecord } from '../../sandbox/server.cjs';
import { HOST } from '../serverProcess.cjs';
import type { Call, FormPart, Network, Reply } from './network.cjs';

/**
 * What goes wrong with a call: a reply instead of the network's, which does not see the call (`reset`: the connection
 * breaks); or `lost response`: the network takes the call, and its response never arrives.
 */
export type Trouble = Reply | 'lost response';

/** A call that is held back, before its network sees it. */
export interface Hold {
	/** When the call has arrived. */
	reached: Promise<void>;
	/** Lets it through. */
	release: () => void;
}

/** Which calls: by their line, e.g. `POST www.googleapis.com/upload/youtube/v3/videos`, or by what is in them. */
export type Where = RegExp | ((call: Call) => boolean);

/** Something that happens to the next calls of one kind. */
interface Plan {
	where: Where;
	times: number;
	trouble?: Trouble;
	arrived?: () => void;
	until?: Promise<void>;
}

export class NetworkProxy {
	/** What the networks were sent, in order of arrival. */
	readonly calls: Call[] = [];
	readonly strays: string[] = [];
	readonly mistakes: string[] = [];

	private readonly plans: Plan[] = [];
	/** What lets each held call through. */
	private readonly holds: Array<() => void> = [];
	private server?: Mockttp;
	private folder?: string;

	constructor(private readonly networks: readonly Network[]) {}

	/** Starts it; gives the environment that sends a Node program's traffic here, but for that on loopback. */
	async start(): Promise<Record<string, string>> {
		const https = await generateCACertificate({
			subject: { commonName: 'Seedance test networks' },
		});
		this.folder = mkdtempSync(join(tmpdir(), 'seedance-networks-'));
		const certificate = join(this.folder, 'ca.pem');
		await writeFile(certificate, https.cert);
		// HTTP/1.1 alone, which n8n speaks.
		this.server = getLocal({ https, http2: false, recordTraffic: false });
		await this.server.start(0);
		await this.server.forAnyRequest().thenCallback(async (request) => await this.respond(request));
		const url = `http://${HOST}:${await moveToLoopback(this.server)}`;
		const names = ['HTTP_PROXY', 'HTTPS_PROXY', 'http_proxy', 'https_proxy'];
		return {
			...Object.fromEntries(names.map((name) => [name, url])),
			NO_PROXY: `${HOST},localhost`,
			NODE_EXTRA_CA_CERTS: certificate,
		};
	}

	async stop(): Promise<void> {
		this.release();
		await this.server?.stop();
		if (this.folder) await rm(this.folder, { recursive: true, force: true });
	}

	/** Forgets calls and plans; the networks forget what they were sent. */
	reset(): void {
		this.release();
		this.calls.length = 0;
		for (const network of this.networks) network.reset();
	}

	/** Plans what happens to the next calls that match, e.g. `/^PUT www.googleapis.com/`. */
	trouble(where: Where, trouble: Trouble, times = 1): void {
		this.plans.push({ where, trouble, times });
	}

	/** Holds the next call that matches back until it is released. */
	hold(where: Where): Hold {
		let release = () => {};
		let arrived = () => {};
		const until = new Promise<void>((done) => (release = done));
		const reached = new Promise<void>((done) => (arrived = done));
		this.plans.push({ where, times: 1, until, arrived });
		this.holds.push(release);
		return { reached, release };
	}

	/** The calls that match, in order of arrival. */
	callsTo(where: Where): Call[] {
		return this.calls.filter((call) => matches(call, where));
	}

	private release(): void {
		this.plans.length = 0;
		for (const release of this.holds.splice(0)) release();
	}

	private async respond(request: CompletedRequest): Promise<requestSteps.CallbackResponseResult> {
		const call = await callOf(request);
		const line = lineOf(call);
		const network = this.networks.find((one) => one.serves(call.host, call.path));
		if (!network) {
			this.strays.push(line);
			return { statusCode: 502, body: 'No network of the tests has this address' };
		}
		this.calls.push(call);
		const plan = this.plans.find(({ where, times }) => times > 0 && matches(call, where));
		if (plan) plan.times--;
		plan?.arrived?.();
		await plan?.until;
		if (plan?.trouble && plan.trouble !== 'lost response') return sent(plan.trouble);
		try {
			const reply = await network.handle(call);
			return plan?.trouble ? 'reset' : sent(reply);
		} catch (error) {
			this.mistakes.push(`${line}: ${error}`);
			return { statusCode: 501, body: 'The stand-in does not know this' };
		}
	}
}

const matches = (call: Call, where: Where) =>
	where instanceof RegExp ? where.test(lineOf(call)) : where(call);

const lineOf = ({ method, host, path }: Call) => `${method} ${host}${path}`;

const sent = (reply: Reply): requestSteps.CallbackResponseResult =>
	reply === 'reset'
		? reply
		: {
				statusCode: reply.status ?? 200,
				headers: {
					...(reply.json !== undefined && { 'content-type': 'application/json; charset=UTF-8' }),
					...reply.headers,
				},
				body: reply.json === undefined ? reply.body : JSON.stringify(reply.json),
			};

async function callOf(request: CompletedRequest): Promise<Call> {
	const { hostname, pathname, searchParams } = new URL(request.url);
	const entries = Object.entries(request.headers).map(([name, value]) => [name, String(value)]);
	const headers: Call['headers'] = Object.fromEntries(entries);
	const type = headers['content-type'] ?? '';
	const body = (await request.body.getDecodedBuffer()) ?? Buffer.alloc(0);
	const parsed: unknown = /json/.test(type) && body.length ? JSON.parse(body.toString()) : {};
	return {
		method: request.method,
		host: hostname,
		path: decodeURIComponent(pathname),
		query: Object.fromEntries(searchParams),
		headers,
		body,
		json: isRecord(parsed) ? parsed : {},
		form: await formOf(request, type),
	};
}

async function formOf({ body }: CompletedRequest, type: string): Promise<FormPart[]> {
	if (type.startsWith('multipart/form-data')) {
		const parts = (await body.getMultipartFormData()) ?? [];
		return parts.map(({ name = '', ...part }) => ({ name, ...part }));
	}
	if (!type.startsWith('application/x-www-form-urlencoded')) return [];
	const fields = Object.entries((await body.getUrlEncodedFormData()) ?? {});
	return fields.map(([name, value]) => ({ name, data: Buffer.from(String(value)) }));
}

/** mockttp listens on every address of the machine: its server is closed, and opened again on loopback alone. */
async function moveToLoopback(mockttp: Mockttp): Promise<number> {
	const server: unknown = Reflect.get(mockttp, 'server');
	if (!(server instanceof Server)) throw new Error('mockttp keeps its server somewhere else');
	await new Promise((closed) => server.close(closed));
	await new Promise<void>((listening) => server.listen(0, HOST, listening));
	const address = server.address();
	if (!isAddress(address) || address.address !== HOST) throw new Error('It is not on loopback');
	return address.port;
}

const isAddress = (address: string | AddressInfo | null): address is AddressInfo =>
	typeof address === 'object' && address !== null;
