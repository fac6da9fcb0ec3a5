// The sandbox's control endpoint: what a test can do in its own process, done over HTTP from another one. What it takes is
// described in test/fixtures/sandbox-control.schema.json, so that a misspelt field is refused and not ignored.
import type { FastifyInstance } from 'fastify';

import schemas from '../fixtures/sandbox-control.schema.json';
import type { CallbackPlan } from './callbacks.cjs';
import { SandboxError, type ErrorShape } from './contract.cjs';
import type { FaultRule } from './faults.cjs';
import type { RateLimit } from './limits.cjs';
import type { Sandbox } from './server.cjs';
import { showsEnd, type Outcome, type SandboxTask, type TaskPlan } from './tasks.cjs';

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

function shown(task: SandboxTask): Record<string, unknown> {
	const { id, account, order, credits, createdAt, endedAt, outcome, ended } = task;
	const status = ended ? outcome.status : 'IN_PROGRESS';
	const said = { task_id: id, account: account.name, status, shown: showsEnd(task) };
	return { ...said, credits, createdAt, endedAt, request: order };
}

/** Adds `/_sandbox/…`. It needs no key, and the server listens on this machine only. */
export function addControl(app: FastifyInstance, sandbox: Sandbox): void {
	const { faults, callbacks, ledger, tasks, accounts } = sandbox;
	const bodyOf = (name: string) => ({ schema: { body: { $ref: `control#/$defs/${name}` } } });
	const taskWith = (id: string) => {
		const task = tasks.get(id);
		if (!task) throw new SandboxError(`The sandbox has no task ${id}`, 404);
		return task;
	};
	interface ById {
		Params: { id: string };
	}

	app.addSchema(schemas);
	void app.register(
		async (control) => {
			control.removeAllContentTypeParsers();
			const json = control.getDefaultJsonParser('ignore', 'ignore');
			control.addContentTypeParser<string>('*', { parseAs: 'string' }, (request, body, done) =>
				body === '' ? done(null, null) : json(request, body, done),
			);

			control.get('/health', () => {
				const { baseUrl, speed } = sandbox;
				return { ok: true, baseUrl, speed, balance: ledger.balance };
			});
			control.get('/ledger', () => ledger.snapshot());
			control.get('/tasks', () => tasks.all().map(({ id }) => shown(taskWith(id))));
			control.get('/callbacks', () => {
				const { deliveries, refused } = callbacks;
				return { deliveries, refused };
			});
			control.get('/unreachable', () => sandbox.unreachable);
			control.get('/accounts', () => accounts);

			control.get('/faults', () => ({ pending: faults.pending, applied: faults.applied }));
			control.post<{ Body: FaultRule | FaultRule[] }>('/faults', bodyOf('rules'), ({ body }) => {
				faults.add(...[body].flat());
				return { pending: faults.pending.length };
			});
			control.delete('/faults', () => {
				faults.clear();
				return { pending: 0 };
			});

			const limitsNow = () => {
				const { standing, refused } = faults.limits;
				return { standing, refused };
			};
			control.get('/limits', limitsNow);
			control.post<{ Body: RateLimit | RateLimit[] }>('/limits', bodyOf('limits'), ({ body }) => {
				faults.limits.add(...[body].flat());
				return limitsNow();
			});
			control.delete('/limits', () => {
				faults.limits.clear();
				return limitsNow();
			});

			control.post<ById & { Body?: Outcome }>(
				'/tasks/:id/finish',
				bodyOf('maybeOutcome'),
				({ params, body }) => shown(tasks.finish(params.id, body ?? undefined)),
			);
			control.post<ById & { Body?: Partial<CallbackPlan> }>(
				'/tasks/:id/callback',
				bodyOf('maybeCallbacks'),
				async ({ params, body }) => {
					await callbacks.deliver(taskWith(params.id), body ?? {});
					return { deliveries: callbacks.of(params.id) };
				},
			);
			control.post('/foreign-task', () => ({ task_id: sandbox.otherAccount.createTask() }));
			control.post<{ Body: Settings }>('/settings', bodyOf('settings'), ({ body }) => {
				const { credits, otherCredits, taskPlan, taskSeconds, callbacks: plan, ...rest } = body;
				Object.assign(sandbox, rest);
				ledger.balance = credits ?? ledger.balance;
				accounts.other.balance = otherCredits ?? accounts.other.balance;
				if (taskPlan !== undefined) tasks.plan = taskPlan ?? {};
				if (taskSeconds !== undefined) tasks.taskSeconds = taskSeconds ?? undefined;
				callbacks.plan = { ...callbacks.plan, ...plan };
				return { ok: true };
			});
			control.post('/reset', () => {
				sandbox.reset();
				return { ok: true };
			});
		},
		{ prefix: '/_sandbox' },
	);
}
