// The sandbox's control endpoint: what a test can do in its own process, done over HTTP from another one.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

import { CALLBACK_SHAPES, type CallbackPlan } from './callbacks.cjs';
import { ERROR_SHAPES, type ErrorShape, isRecord } from './contract.cjs';
import { isFaultRule, isOutcome, isTaskPlan } from './faults.cjs';
import { isRateLimit } from './limits.cjs';
import type { SandboxState } from './state.cjs';
import { showsEnd, type TaskPlan } from './tasks.cjs';

/** What the control endpoint needs beyond the shared state. */
export interface Controls {
	reset: () => void;
	setSpeed: (speed: number) => void;
	/** Base URLs at which a request never leaves its caller. */
	unreachable: () => Readonly<Record<string, string>>;
}

/** Adds `/_sandbox/…`. It needs no key, and the server listens on this machine only. */
export function addControl(app: FastifyInstance, state: SandboxState, controls: Controls): void {
	const { faults, callbacks, ledger, tasks } = state;

	app.get('/_sandbox/health', () => ({
		ok: true,
		baseUrl: `${state.origin()}/v1`,
		speed: state.clock.speed,
		balance: ledger.balance,
	}));
	app.get('/_sandbox/ledger', () => ledger.snapshot());
	app.get('/_sandbox/tasks', () => tasks.all().map((task) => describe(task.id, state)));
	app.get('/_sandbox/callbacks', () => ({
		deliveries: callbacks.deliveries,
		refused: callbacks.refused,
	}));
	app.get('/_sandbox/faults', () => ({ pending: faults.pending, applied: faults.applied }));

	app.post('/_sandbox/faults', (request, reply) => {
		const body = jsonOf(request);
		const rules = Array.isArray(body) ? body : [body];
		const wrong = rules.find((rule) => !isFaultRule(rule));
		if (wrong !== undefined || rules.length === 0) {
			return refuse(reply, `Not a fault rule: ${JSON.stringify(wrong)}`);
		}
		faults.add(...rules.filter(isFaultRule));
		return { pending: faults.pending.length };
	});
	app.delete('/_sandbox/faults', () => {
		faults.clear();
		return { pending: 0 };
	});

	app.get('/_sandbox/limits', () => ({
		standing: faults.limits.standing,
		refused: faults.limits.refused,
	}));
	app.post('/_sandbox/limits', (request, reply) => {
		const body = jsonOf(request);
		const limits = Array.isArray(body) ? body : [body];
		const wrong = limits.find((limit) => !isRateLimit(limit));
		if (wrong !== undefined || limits.length === 0) {
			return refuse(reply, `Not a rate limit: ${JSON.stringify(wrong)}`);
		}
		faults.limits.add(...limits.filter(isRateLimit));
		return { standing: faults.limits.standing };
	});
	app.delete('/_sandbox/limits', () => {
		faults.limits.clear();
		return { standing: [] };
	});
	app.get('/_sandbox/unreachable', () => controls.unreachable());
	app.get('/_sandbox/accounts', () => state.accounts);

	app.post<{ Params: { id: string } }>('/_sandbox/tasks/:id/finish', (request, reply) => {
		const outcome = jsonOf(request);
		if (outcome !== undefined && !isOutcome(outcome)) {
			return refuse(reply, 'The outcome needs a status of SUCCESS or FAILED');
		}
		try {
			tasks.finish(request.params.id, outcome);
		} catch (error) {
			return refuse(reply, error instanceof Error ? error.message : String(error), 404);
		}
		return describe(request.params.id, state);
	});
	app.post<{ Params: { id: string } }>('/_sandbox/tasks/:id/callback', async (request, reply) => {
		const task = tasks.get(request.params.id);
		if (!task) return refuse(reply, `The sandbox has no task ${request.params.id}`, 404);
		const changes = jsonOf(request) ?? {};
		if (!isCallbackPlan(changes)) return refuse(reply, 'Not a callback plan');
		await callbacks.deliver(task, changes);
		return { deliveries: callbacks.of(task.id) };
	});
	app.post('/_sandbox/foreign-task', () => ({ task_id: state.foreignTaskId() }));

	app.post('/_sandbox/settings', (request, reply) => {
		const wish = jsonOf(request);
		if (!isSettings(wish)) return refuse(reply, 'Not settings of the sandbox');
		if (wish.speed !== undefined) controls.setSpeed(wish.speed);
		if (wish.credits !== undefined) ledger.balance = wish.credits;
		if (wish.otherCredits !== undefined) state.accounts.other.balance = wish.otherCredits;
		if (wish.taskPlan !== undefined) tasks.plan = wish.taskPlan ?? {};
		if (wish.latencyMs !== undefined) state.latencyMs = wish.latencyMs;
		if (wish.errorShape !== undefined) state.errorShape = wish.errorShape;
		if (wish.taskSeconds !== undefined) tasks.taskSeconds = wish.taskSeconds ?? undefined;
		if (wish.videoBytes !== undefined) state.videoBytes = wish.videoBytes;
		if (wish.callbacks !== undefined) callbacks.plan = { ...callbacks.plan, ...wish.callbacks };
		return { ok: true };
	});
	app.post('/_sandbox/reset', () => {
		controls.reset();
		return { ok: true };
	});
}

/** Settings that can be changed while the sandbox runs. Null means: back to the usual. */
interface Settings {
	speed?: number;
	credits?: number;
	otherCredits?: number;
	/** Given to every new task. */
	taskPlan?: TaskPlan | null;
	latencyMs?: number;
	taskSeconds?: number | null;
	videoBytes?: number | null;
	errorShape?: ErrorShape;
	callbacks?: Partial<CallbackPlan>;
}

function isSettings(value: unknown): value is Settings {
	if (!isRecord(value)) return false;
	const checks: Record<keyof Settings, (field: unknown) => boolean> = {
		speed: (field) => isAmount(field) && field > 0,
		credits: isAmount,
		otherCredits: isAmount,
		taskPlan: (field) => field === null || isTaskPlan(field),
		latencyMs: isAmount,
		taskSeconds: (field) => field === null || isAmount(field),
		videoBytes: (field) => field === null || isAmount(field),
		errorShape: (field) => ERROR_SHAPES.some((shape) => shape === field),
		callbacks: isCallbackPlan,
	};
	return fits(value, checks);
}

function isCallbackPlan(value: unknown): value is Partial<CallbackPlan> {
	if (!isRecord(value)) return false;
	const isFlag = (field: unknown) => typeof field === 'boolean';
	const checks: Record<keyof CallbackPlan, (field: unknown) => boolean> = {
		shape: (field) => CALLBACK_SHAPES.some((shape) => shape === field),
		attempts: isAmount,
		backoffMs: isAmount,
		timeoutMs: isAmount,
		copies: isAmount,
		copyGapMs: isAmount,
		earlyMs: isAmount,
		lateMs: isAmount,
		never: isFlag,
		everyChange: isFlag,
		foreignId: isFlag,
	};
	return fits(value, checks);
}

/** True when every field that is there has a check and passes it, so that a misspelt one is not silently ignored. */
function fits(
	value: Record<string, unknown>,
	checks: Record<string, (field: unknown) => boolean>,
): boolean {
	return Object.entries(value).every(
		([key, field]) => Object.hasOwn(checks, key) && checks[key](field),
	);
}

function isAmount(value: unknown): value is number {
	return typeof value === 'number' && value >= 0;
}

function describe(id: string, state: SandboxState): Record<string, unknown> {
	const task = state.tasks.get(id);
	if (!task) return {};
	const { account, order, credits, createdAt, endedAt, outcome, ended } = task;
	const status = ended ? outcome.status : 'IN_PROGRESS';
	return {
		...{ task_id: id, account: account.name, status, shown: showsEnd(task), credits },
		...{ createdAt, endedAt, request: order },
	};
}

function jsonOf(request: FastifyRequest): unknown {
	if (!Buffer.isBuffer(request.body) || request.body.length === 0) return undefined;
	try {
		return JSON.parse(request.body.toString('utf8'));
	} catch {
		return null;
	}
}

function refuse(reply: FastifyReply, error: string, status = 400): { error: string } {
	reply.code(status);
	return { error };
}
