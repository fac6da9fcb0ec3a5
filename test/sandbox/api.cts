// The simulated API itself: POST /generate and GET /status of both versions, as strict as the contract of each.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

import { pause } from './callbacks.cjs';
import {
	errorResponse,
	isRecord,
	jsonResponse,
	type ApiResponse,
	type ApiVersion,
} from './contract.cjs';
import { endingOf, type Ending, type Fault, type FaultTarget } from './faults.cjs';
import { idFields, withBareNumber } from './forms.cjs';
import type { Route } from './limits.cjs';
import type { Sandbox } from './server.cjs';
import { showsEnd, statusEnvelope, type SandboxTask, type TaskPlan } from './tasks.cjs';
import { API_VERSIONS, CONTRACTS, termsOf } from './versions.cjs';

/** What a client without a name of its own says: nothing, or the name of its library. */
const NO_NAME = /^(?!\S+\/\d)|^(axios|node|undici|got|curl|wget|python|go-http|java|okhttp)\b/i;

export function addApi(app: FastifyInstance, sandbox: Sandbox): void {
	for (const version of API_VERSIONS) addVersion(app, sandbox, version);
}

function addVersion(app: FastifyInstance, sandbox: Sandbox, version: ApiVersion): void {
	const { ledger, tasks } = sandbox;
	const known = (taskId: string | null) => {
		const task = taskId === null ? undefined : tasks.get(taskId);
		return sandbox.eitherVersion || task?.version === version ? task : undefined;
	};

	/** Applies the fault that a request meets. */
	const respond = async (
		route: Route,
		request: FastifyRequest,
		entry: { fault: string | null },
		target: Omit<FaultTarget, 'account'>,
		proceed: (plan?: TaskPlan) => ApiResponse,
	): Promise<Ending> => {
		const account = sandbox.accountOf(request)?.name ?? null;
		const isBlocked = sandbox.firewall && NO_NAME.test(request.headers['user-agent'] ?? '');
		const fault: Fault | null = isBlocked
			? { kind: 'firewall' }
			: sandbox.faults.take(route, { ...target, account });
		entry.fault = fault?.kind ?? null;
		if (fault?.kind === 'delay') await pause(fault.ms);
		return endingOf(fault, proceed, {
			elsewhere: `${sandbox.elsewhere.origin}${request.url}`,
			now: sandbox.faults.limits.now(),
			foreignTaskId: sandbox.otherAccount.createTask,
		});
	};

	app.post(`/v${version}/generate`, async (request, reply) => {
		const entry = recordPost(sandbox, request, version);
		const prompt =
			isRecord(entry.json) && typeof entry.json.prompt === 'string' ? entry.json.prompt : null;
		let created: SandboxTask | null = null;
		const create = (plan?: TaskPlan): ApiResponse => {
			const account = sandbox.accountOf(request);
			if (!account) return errorResponse('INVALID_API_KEY', sandbox.errorShape);
			const verdict = CONTRACTS[version].check(entry.json);
			if ('refused' in verdict) {
				return errorResponse(verdict.refused, sandbox.errorShape, verdict.message);
			}
			const { credits } = termsOf(verdict.order);
			if (account.balance < credits) {
				return errorResponse('INSUFFICIENT_CREDITS', sandbox.errorShape);
			}
			created = tasks.create(account, verdict.order, credits, plan);
			ledger.charge(created, entry);
			const task = tasks.get(created.id) ?? created;
			const data =
				plan?.answersEnd && showsEnd(task)
					? statusEnvelope(task, sandbox.shownVideo(task)).data
					: { ...idFields(task.id, task.plan.idAs), status: task.runningWord };
			return jsonResponse(200, { code: 200, message: 'success', data });
		};
		const found = await respond('generate', request, entry, { prompt, taskId: null }, create);
		const ending = bare(found, created);
		entry.answered = statusOf(ending);
		const outcome = entry.accepted
			? `task ${entry.taskId} accepted, ${entry.charged} credits`
			: 'nothing accepted';
		const fault = entry.fault ? `, fault ${entry.fault}` : '';
		sandbox.log(`POST /v${version}/generate  ${entry.answered ?? 'no reply'}: ${outcome}${fault}`);
		await finishWith(ending, reply, sandbox);
		ledger.changed();
		return reply;
	});

	app.get(`/v${version}/status`, async (request, reply) => {
		const taskId = queryOf(request).get('task_id');
		const task = known(taskId);
		const account = sandbox.accountOf(request);
		const breaches = breachesOfRequest(sandbox, request, ['task_id']);
		if (taskId === null) breaches.push('task_id is missing from the query');
		const read = ledger.record(ledger.statusEntries, {
			...sandbox.entryOf(request),
			version,
			taskId,
			breaches,
			shown: null,
			showsVideo: false,
		});
		const show = (): ApiResponse => {
			if (!account) return errorResponse('INVALID_API_KEY', sandbox.errorShape);
			const asked = known(taskId);
			if (!asked || asked.account !== account || !tasks.countRead(asked)) {
				return errorResponse('TASK_NOT_FOUND', sandbox.errorShape);
			}
			return jsonResponse(200, statusEnvelope(asked, sandbox.shownVideo(asked)));
		};
		const target = { prompt: task?.order.prompt ?? null, taskId };
		const ending = bare(await respond('status', request, read, target, show), task);
		const { body } = 'drip' in ending ? ending.drip : { body: '', ...ending };
		read.answered = statusOf(ending);
		read.shown = statusWordIn(body);
		read.showsVideo = body.includes('/videos/');
		sandbox.log(
			`GET  /v${version}/status    ${taskId ?? 'without a task_id'}: ${read.shown ?? read.answered ?? read.fault}`,
		);
		await finishWith(ending, reply, sandbox);
		ledger.changed();
		return reply;
	});
}

/** Writes the id as a bare number where the task's plan wants it, after faults have changed the JSON. */
function bare(ending: Ending, task: SandboxTask | null | undefined): Ending {
	if (task?.plan.idAs !== 'number') return ending;
	if ('drip' in ending) return { ...ending, drip: withBareNumber(ending.drip, task.id) };
	return 'body' in ending ? withBareNumber(ending, task.id) : ending;
}

/** The status that the caller gets to see; null when there never is a whole response. */
function statusOf(ending: Ending): number | null {
	if ('drip' in ending) return ending.ms === undefined ? null : ending.drip.status;
	return 'status' in ending ? ending.status : null;
}

/** Sends a response, cuts the connection, or leaves the caller waiting. Gives the HTTP status, or null without one. */
export async function finishWith(
	ending: Ending,
	reply: FastifyReply,
	{ hanging }: Pick<Sandbox, 'hanging'>,
): Promise<number | null> {
	if ('status' in ending) {
		await reply.code(ending.status).headers(ending.headers).send(ending.body);
		return ending.status;
	}
	reply.hijack();
	const { raw } = reply;
	const { socket } = raw;
	if ('reset' in ending) {
		socket?.resetAndDestroy();
		return null;
	}
	hanging.add(raw);
	if ('drip' in ending) drip(ending, raw);
	else if (ending.ms !== undefined) void pause(ending.ms).then(() => socket?.resetAndDestroy());
	return statusOf(ending);
}

/** Sends the head of a response at once, a blank now and then, and its body when the time is up. */
function drip(
	{ drip: response, everyMs, ms }: Extract<Ending, { drip: ApiResponse }>,
	raw: FastifyReply['raw'],
): void {
	raw.writeHead(response.status, response.headers);
	raw.write(' ');
	const blanks = setInterval(() => raw.write(' '), everyMs);
	const finish = () => {
		// First: between the end and its being sent, a blank would come too late.
		clearInterval(blanks);
		raw.end(response.body);
	};
	const end = ms === undefined ? undefined : setTimeout(finish, ms);
	raw.once('close', () => {
		clearInterval(blanks);
		clearTimeout(end);
	});
}

function parsed(text: string): unknown {
	try {
		return JSON.parse(text);
	} catch {
		return undefined;
	}
}

function statusWordIn(body: string): string | null {
	const envelope = parsed(body);
	if (!isRecord(envelope) || !isRecord(envelope.data)) return null;
	return typeof envelope.data.status === 'string' ? envelope.data.status : null;
}

function recordPost(sandbox: Sandbox, request: FastifyRequest, version: ApiVersion) {
	const { breachesOf, fields } = CONTRACTS[version];
	const rawBody = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
	const body = rawBody.toString('utf8');
	const json = parsed(body);
	const type = request.headers['content-type'] ?? 'none';
	const breaches = [...breachesOf(json), ...breachesOfRequest(sandbox, request, [])];
	if (!/^application\/json\b/i.test(type)) breaches.push(`the content type is ${type}`);
	if (leaksKey(sandbox, body, 'body', request.url)) breaches.push('the API key is in the body');
	return sandbox.ledger.recordPost({
		...sandbox.entryOf(request),
		version,
		rawBody,
		body,
		json,
		unknownFields: isRecord(json) ? Object.keys(json).filter((key) => !fields.includes(key)) : [],
		breaches,
		accepted: false,
		taskId: null,
		charged: 0,
		refunded: 0,
	});
}

const queryOf = ({ url }: FastifyRequest) => new URLSearchParams(url.split('?', 2)[1]);

/** Departures from the contract that lie in the address and the headers. */
function breachesOfRequest(
	sandbox: Sandbox,
	request: FastifyRequest,
	allowedQuery: readonly string[],
): string[] {
	const { url, headers } = request;
	const breaches = [...queryOf(request).keys()]
		.filter((name) => !allowedQuery.includes(name))
		.map((name) => `unknown query parameter ${name}`);
	const plainUrl = url.replace(/%[\da-f]{2}/gi, (code) =>
		String.fromCharCode(parseInt(code.slice(1), 16)),
	);
	if (leaksKey(sandbox, plainUrl, 'url', url)) breaches.push('the API key is in the address');
	const { authorization: _key, ...others } = headers;
	for (const [name, value] of Object.entries(others)) {
		if (leaksKey(sandbox, String(value), `header ${name}`, url)) {
			breaches.push(`the API key is in the header ${name}`);
		}
	}
	return breaches;
}

function leaksKey({ accounts, ledger }: Sandbox, text: string, where: string, url: string) {
	const leaks = Object.values(accounts).some(({ apiKey }) => text.includes(apiKey));
	if (leaks) ledger.recordLeak(where, url);
	return leaks;
}
