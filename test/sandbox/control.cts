// The sandbox's control endpoint: what a test can do in its own process, done over HTTP from another one. What it takes is
// described in test/fixtures/sandbox-control.schema.json, so that a misspelt field is refused and not ignored.
import type { FastifyInstance } from 'fastify';

import schema from '../fixtures/sandbox-control.schema.json';
import type { CallbackPlan } from './callbacks.cjs';
import type { ErrorShape } from './contract.cjs';
import type { FaultRule } from './faults.cjs';
import type { RateLimit } from './limits.cjs';
import type { Sandbox } from './server.cjs';
import type { Outcome } from './tasks.cjs';

/** What may be asked for, one thing or several. It is done in this order. */
interface Orders {
	reset?: true;
	/** Takes all faults and limits away. */
	clear?: true;
	faults?: FaultRule[];
	limits?: RateLimit[];
	/** The balance of the main account. */
	credits?: number;
	callbacks?: Partial<CallbackPlan>;
	settings?: {
		speed?: number;
		seed?: number;
		errorShape?: ErrorShape;
		videoBytes?: number | null;
		eitherVersion?: boolean;
		firewall?: boolean;
		virtualLimits?: boolean;
	};
	/** Ends tasks; null for the end that they were to have. */
	finish?: Record<string, Outcome | null>;
}

/** Adds `/_sandbox`. It needs no key, and the server listens on this machine only. */
export function addControl(app: FastifyInstance, sandbox: Sandbox): void {
	const { faults, callbacks, ledger, tasks } = sandbox;
	const state = () => ({
		baseUrl: sandbox.baseUrl,
		baseUrlV2: sandbox.baseUrlV2,
		speed: sandbox.speed,
		...ledger.snapshot(),
		tasks: tasks.all().map(({ id, version, order, ended, outcome }) => {
			return { id, version, order, ended, outcome };
		}),
		faults: faults.pending,
		limits: faults.limits.standing,
		callbacks: callbacks.deliveries,
		unreachable: sandbox.unreachable,
	});

	void app.register(async (control) => {
		control.removeAllContentTypeParsers();
		const parser = control.getDefaultJsonParser('error', 'error');
		control.addContentTypeParser('application/json', { parseAs: 'string' }, parser);
		control.get('/_sandbox', state);
		control.post<{ Body: Orders }>('/_sandbox', { schema: { body: schema } }, ({ body }) => {
			if (body.reset) sandbox.reset();
			if (body.clear) faults.clear();
			faults.add(...(body.faults ?? []));
			faults.limits.add(...(body.limits ?? []));
			ledger.balance = body.credits ?? ledger.balance;
			callbacks.plan = { ...callbacks.plan, ...body.callbacks };
			Object.assign(sandbox, body.settings);
			for (const [id, outcome] of Object.entries(body.finish ?? {})) {
				tasks.finish(id, outcome ?? undefined);
			}
			return state();
		});
	});
}
