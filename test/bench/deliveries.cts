/** The kinds of delivery that `npm run bench:trigger` measures: where they go, what is sent, and what has to come of it. */
import axios from 'axios';
import { signedCallbackUrl } from '../../nodes/shared/callback/signature';
import { isRecord, type Sandbox } from '../sandbox/server.cjs';
import { startTaskAt } from '../support/tasks.cjs';
import { BenchError } from './program.cjs';
import { atOnce } from './report.cjs';
import type { Flow, Setup } from './setup.cjs';

const BARE_ACCEPTED = 'A trigger that does nothing: accepts';
const BARE_REFUSED = 'A trigger that does nothing: refuses';

/** Tasks that are made at the same time, before a round. */
const TASKS_AT_ONCE = 20;

export interface Delivery {
	url: string;
	/** JSON: the envelope of `GET /status`, as the API posts it. */
	body: string;
}

/** One kind of delivery. */
export interface Kind {
	name: string;
	/** Times the rate of the Webhook node that it has to reach. */
	mark?: number;
	/** The kind that shows the least that n8n lets this one cost. */
	least?: string;
	flow: Flow;
	/** The status that every answer must have. */
	status: number;
	startsRuns?: boolean;
	/** Whether each one reads its task at the API. */
	reads?: boolean;
	/** Makes the deliveries of a round before its clock starts. */
	make: (count: number) => Promise<Delivery[]> | Delivery[];
}

/** Publishes the workflows and says what is delivered to them. The first kind is what the others are compared with. */
export async function prepareKinds(setup: Setup): Promise<Kind[]> {
	const { sandbox } = setup;
	const [someBody] = await endedTasks(sandbox, 1);
	const repeat = (url: string | ((row: number) => string)) => (count: number) =>
		Array.from({ length: count }, (_, row) => ({
			url: typeof url === 'string' ? url : url(row),
			body: someBody,
		}));
	const trigger = await setup.publish('trigger');
	const webhook = await setup.publish('webhook');
	const webhookWithHeader = await setup.publish('webhookWithHeader');
	const bareAccepts = await setup.publish('bareAccepts');
	const bareRefuses = await setup.publish('bareRefuses');
	// n8n's own node names its path itself, the others get theirs from their id.
	const urlOf = ({ webhookUrl }: Flow) => `${webhookUrl}/webhook`;
	const signed = (apiKey: string, row: number) => {
		const metadata = [{ name: 'row', value: row }];
		const url = signedCallbackUrl(urlOf(trigger), metadata, apiKey, 'loopback');
		if (!url.ok || !url.value) throw new BenchError('The URL of the trigger cannot be signed.');
		return url.value;
	};
	let delivered: Delivery[] = [];

	return [
		{
			name: "n8n's Webhook node: accepted",
			status: 200,
			startsRuns: true,
			flow: webhook,
			make: repeat(webhook.webhookUrl),
		},
		{
			name: 'Seedance Trigger: accepted, a new video each',
			mark: 0.5,
			least: BARE_ACCEPTED,
			status: 200,
			startsRuns: true,
			reads: true,
			flow: trigger,
			make: async (count) => {
				const bodies = await endedTasks(sandbox, count);
				delivered = bodies.map((body, row) => ({ url: signed(sandbox.apiKey, row), body }));
				return delivered;
			},
		},
		{
			name: 'Seedance Trigger: refused, wrong signature',
			mark: 2,
			least: BARE_REFUSED,
			status: 401,
			flow: trigger,
			make: repeat((row) => signed('sk-of-somebody-else', row)),
		},
		{
			name: 'Seedance Trigger: refused, none or malformed',
			mark: 2,
			least: BARE_REFUSED,
			status: 401,
			flow: trigger,
			make: repeat((row) => (row % 2 ? urlOf(trigger) : signed(sandbox.apiKey, row).slice(0, -1))),
		},
		{
			name: 'Seedance Trigger: repeated, starts no run',
			least: BARE_REFUSED,
			status: 200,
			reads: true,
			flow: trigger,
			make: (count) => Array.from({ length: count }, (_, at) => delivered[at % delivered.length]),
		},
		{
			name: BARE_ACCEPTED,
			status: 200,
			startsRuns: true,
			flow: bareAccepts,
			make: repeat(urlOf(bareAccepts)),
		},
		{ name: BARE_REFUSED, status: 401, flow: bareRefuses, make: repeat(urlOf(bareRefuses)) },
		{
			name: "n8n's Webhook node: refused, Header Auth",
			status: 403,
			flow: webhookWithHeader,
			make: repeat(webhookWithHeader.webhookUrl),
		},
	];
}

/** Has so many videos made over the API; gives the body of each one's callback. */
async function endedTasks(sandbox: Sandbox, count: number): Promise<string[]> {
	const headers = { authorization: `Bearer ${sandbox.apiKey}` };
	return await atOnce({ limit: TASKS_AT_ONCE, count }, async () => {
		const url = `${sandbox.baseUrl}/status?task_id=${await startTaskAt(sandbox)}`;
		for (;;) {
			const { data } = await axios.get<unknown>(url, { headers, proxy: false });
			if (isRecord(data) && isRecord(data.data) && data.data.status === 'SUCCESS') {
				return JSON.stringify(data);
			}
		}
	});
}
