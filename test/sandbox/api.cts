// The simulated API itself: POST /generate and GET /status, as strict as the contract.
import type { FastifyInstance, FastifyRequest } from 'fastify';

import { pause } from './callbacks.cjs';
import {
	type Answer,
	type VideoOrder,
	breachesOf,
	checkBody,
	contractCredits,
	errorAnswer,
	isRecord,
	jsonAnswer,
	unknownFieldsOf,
} from './contract.cjs';
import { endingOf, type Ending, type Fault } from './faults.cjs';
import { idFields, withBareNumber } from './forms.cjs';
import type { PostEntry } from './ledger.cjs';
import { accountOf, finishWith, safeHeaders, shownVideo, type SandboxState } from './state.cjs';
import { showsEnd, statusEnvelope, type SandboxTask, type TaskPlan } from './tasks.cjs';

export function addApi(app: FastifyInstance, state: SandboxState): void {
	app.post('/v1/generate', async (request, reply) => {
		const entry = recordPost(state, request);
		const prompt =
			isRecord(entry.json) && typeof entry.json.prompt === 'string' ? entry.json.prompt : null;
		const fault = state.faults.take('generate', {
			prompt,
			taskId: null,
			account: accountOf(state, request)?.name ?? null,
		});
		entry.fault = fault?.kind ?? null;
		await weather(state, fault);
		let created: SandboxTask | null = null;
		const proceed = (plan?: TaskPlan): Answer => {
			const account = accountOf(state, request);
			if (!account) return errorAnswer('INVALID_API_KEY', state.errorShape);
			const verdict = checkBody(entry.json);
			if ('refused' in verdict) return errorAnswer(verdict.refused, state.errorShape);
			const order = verdict.order;
			const credits = creditsOf(order);
			if (account.balance < credits) {
				return errorAnswer('INSUFFICIENT_CREDITS', state.errorShape);
			}
			created = state.tasks.create(account, order, credits, plan);
			state.ledger.charge(account, created.id, credits, entry);
			return answerOf(state, created, plan?.answersEnd ?? false);
		};
		const ending = bare(endingOf(fault, sceneOf(state, request, proceed)), created);
		entry.answered = statusOf(ending);
		state.log(lineOfPost(entry));
		await finishWith(ending, reply, state.hanging);
		state.ledger.changed();
		if (created) state.callbacks.started(created);
		return reply;
	});

	app.get('/v1/status', async (request, reply) => {
		const taskId = queryValue(request, 'task_id');
		const known = taskId === null ? undefined : state.tasks.get(taskId);
		const breaches = [
			...breachesOfRequest(state, request, ['task_id']),
			...(taskId === null ? ['task_id is missing from the query'] : []),
		];
		const account = accountOf(state, request);
		const read = state.ledger.recordStatusRead({
			at: Date.now(),
			url: state.ledger.redact(request.url),
			account: account?.name ?? null,
			headers: safeHeaders(state, request),
			taskId,
			shown: null,
			showsVideo: false,
			breaches,
			fault: null,
			answered: null,
		});
		const fault = state.faults.take('status', {
			prompt: known?.order.prompt ?? null,
			taskId,
			account: account?.name ?? null,
		});
		read.fault = fault?.kind ?? null;
		await weather(state, fault);
		const proceed = (): Answer => {
			if (!account) return errorAnswer('INVALID_API_KEY', state.errorShape);
			const task = taskId === null ? undefined : state.tasks.get(taskId);
			if (!task || task.account !== account) {
				return errorAnswer('TASK_NOT_FOUND', state.errorShape);
			}
			if (!state.tasks.countRead(task)) return errorAnswer('TASK_NOT_FOUND', state.errorShape);
			return jsonAnswer(200, statusEnvelope(task, shownVideo(state, task)));
		};
		const ending = bare(endingOf(fault, sceneOf(state, request, proceed)), known);
		read.answered = statusOf(ending);
		read.shown = shownIn(ending);
		read.showsVideo = bodyOf(ending)?.includes('/videos/') ?? false;
		state.log(
			`GET  /v1/status    ${taskId ?? 'without a task_id'}: ${read.shown ?? read.answered ?? read.fault}`,
		);
		await finishWith(ending, reply, state.hanging);
		state.ledger.changed();
		return reply;
	});
}

/** The credits an order costs, from the sandbox's own price table. */
export function creditsOf(order: VideoOrder): number {
	return contractCredits(order.resolution, order.duration, order.generate_audio);
}

/** The answer to a POST that was taken. */
function answerOf(state: SandboxState, { id }: SandboxTask, answersEnd: boolean): Answer {
	const task = state.tasks.get(id);
	if (!task) throw new Error(`The sandbox has lost task ${id}`);
	const data =
		answersEnd && showsEnd(task)
			? statusEnvelope(task, shownVideo(state, task)).data
			: { ...idFields(id, task.plan.idAs ?? 'task_id'), status: task.runningWord };
	return jsonAnswer(200, { code: 200, message: 'success', data });
}

/** Writes the id as a bare number where the task's plan wants it, after faults have had their way with the JSON. */
function bare(ending: Ending, task: SandboxTask | null | undefined): Ending {
	if (task?.plan.idAs !== 'number') return ending;
	if ('drip' in ending) return { ...ending, drip: withBareNumber(ending.drip, task.id) };
	return 'body' in ending ? withBareNumber(ending, task.id) : ending;
}

function sceneOf(
	state: SandboxState,
	request: FastifyRequest,
	proceed: (plan?: TaskPlan) => Answer,
) {
	return {
		proceed,
		elsewhere: `${state.elsewhere()}${request.url}`,
		now: state.faults.limits.now(),
		foreignTaskId: state.foreignTaskId,
	};
}

async function weather(state: SandboxState, fault: Fault | null): Promise<void> {
	await pause(state.latencyMs + (fault?.kind === 'delay' ? fault.ms : 0));
}

/** The status that the caller gets to see; null when there never is a whole answer. */
function statusOf(ending: Ending): number | null {
	if ('drip' in ending) return ending.ms === undefined ? null : ending.drip.status;
	return 'status' in ending ? ending.status : null;
}

function bodyOf(ending: Ending): string | null {
	if ('drip' in ending) return ending.drip.body;
	return 'body' in ending ? ending.body : null;
}

function shownIn(ending: Ending): string | null {
	const body = bodyOf(ending);
	if (body === null) return null;
	try {
		const envelope: unknown = JSON.parse(body);
		if (!isRecord(envelope) || !isRecord(envelope.data)) return null;
		return typeof envelope.data.status === 'string' ? envelope.data.status : null;
	} catch {
		return null;
	}
}

function recordPost(state: SandboxState, request: FastifyRequest): PostEntry {
	const rawBody = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
	const body = rawBody.toString('utf8');
	const json = parsed(body);
	const type = request.headers['content-type'] ?? 'none';
	return state.ledger.recordPost({
		at: Date.now(),
		url: state.ledger.redact(request.url),
		account: accountOf(state, request)?.name ?? null,
		headers: safeHeaders(state, request),
		rawBody,
		body,
		json,
		accepted: false,
		taskId: null,
		charged: 0,
		refunded: 0,
		unknownFields: unknownFieldsOf(json),
		breaches: [
			...breachesOf(json),
			...breachesOfRequest(state, request, []),
			...(/^application\/json\b/i.test(type) ? [] : [`the content type is ${type}`]),
			...(leaksKey(state, body, 'body', request.url) ? ['the API key is in the body'] : []),
		],
		fault: null,
		answered: null,
	});
}

function parsed(body: string): unknown {
	try {
		return JSON.parse(body);
	} catch {
		return undefined;
	}
}

/** Departures from the contract that lie in the address and the headers. */
function breachesOfRequest(
	state: SandboxState,
	request: FastifyRequest,
	allowedQuery: readonly string[],
): string[] {
	const breaches: string[] = [];
	const [, query = ''] = request.url.split('?', 2);
	for (const name of new URLSearchParams(query).keys()) {
		if (!allowedQuery.includes(name)) breaches.push(`unknown query parameter ${name}`);
	}
	if (leaksKey(state, decoded(request.url), 'url', request.url)) {
		breaches.push('the API key is in the address');
	}
	for (const [name, value] of Object.entries(request.headers)) {
		if (name === 'authorization') continue;
		if (leaksKey(state, String(value), `header ${name}`, request.url)) {
			breaches.push(`the API key is in the header ${name}`);
		}
	}
	return breaches;
}

function decoded(url: string): string {
	try {
		return decodeURIComponent(url);
	} catch {
		return url;
	}
}

function leaksKey(state: SandboxState, text: string, where: string, url: string): boolean {
	const { main, other } = state.accounts;
	if (![main, other].some(({ apiKey }) => text.includes(apiKey))) return false;
	state.ledger.recordLeak(where, url);
	return true;
}

function queryValue(request: FastifyRequest, name: string): string | null {
	const [, query = ''] = request.url.split('?', 2);
	return new URLSearchParams(query).get(name);
}

function lineOfPost(entry: PostEntry): string {
	const outcome = entry.accepted
		? `task ${entry.taskId} accepted, ${entry.charged} credits`
		: 'nothing accepted';
	const fault = entry.fault ? `, fault ${entry.fault}` : '';
	return `POST /v1/generate  ${entry.answered ?? 'no answer'}: ${outcome}${fault}`;
}
