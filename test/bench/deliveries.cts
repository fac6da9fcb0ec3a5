/** The kinds of delivery that `npm run bench:trigger` measures: where they go, what is sent, and what has to come of it. */
import axios from 'axios';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { signedCallbackUrl } from '../../nodes/shared/callback/signature';
import { isRecord, type Sandbox } from '../sandbox/server.cjs';
import { startTaskAt } from '../support/tasks.cjs';
import { BenchError } from './program.cjs';
import { atOnce } from './report.cjs';
import type { Flow, Setup } from './setup.cjs';

const KINDS = join(__dirname, '..', 'fixtures', 'bench', 'deliveries.json');
/** Tasks that are made at the same time, before a round. */
const TASKS_AT_ONCE = 20;

/** One kind of delivery, as the file of kinds describes it. The others are compared with the first. */
interface Description {
	name: string;
	/** Times the rate of the Webhook node that it has to reach. */
	mark?: number;
	/** The kind that shows the least that n8n lets this one cost. */
	least?: string;
	workflow: string;
	/** `repeated`: what was delivered as `signed`, which brings a new video each time. */
	sends: 'plain' | 'signed' | 'forged' | 'malformed' | 'repeated';
	/** The status that every response must have. */
	status: number;
	startsRuns?: boolean;
	/** Whether each one reads its task at the API. */
	reads?: boolean;
}

export type Kind = Awaited<ReturnType<typeof prepareKinds>>[number];

/** Publishes the workflows, each once, and says what is delivered to them. */
export async function prepareKinds(setup: Setup) {
	const { sandbox } = setup;
	const [someBody] = await endedTasks(sandbox, 1);
	const described: Description[] = JSON.parse(readFileSync(KINDS, 'utf8'));
	const flows: Record<string, Flow> = {};
	for (const { workflow } of described) flows[workflow] ??= await setup.publish(workflow);
	let delivered: Array<{ url: string; body: string }> = [];
	return described.map((kind) => {
		const flow = flows[kind.workflow];
		// n8n's own node names its path itself, the others get theirs from their id.
		const isOwn = kind.workflow.startsWith('webhook');
		const plain = isOwn ? flow.webhookUrl : `${flow.webhookUrl}/webhook`;
		const signed = (apiKey: string, row: number) => {
			const url = signedCallbackUrl(plain, [{ name: 'row', value: row }], apiKey, 'loopback');
			if (!url.ok || !url.value) throw new BenchError('The URL of the trigger cannot be signed.');
			return url.value;
		};
		const urlOf = (row: number) => {
			if (kind.sends === 'signed') return signed(sandbox.apiKey, row);
			if (kind.sends === 'forged') return signed('sk-of-somebody-else', row);
			const isMalformed = kind.sends === 'malformed' && row % 2 === 0;
			return isMalformed ? signed(sandbox.apiKey, row).slice(0, -1) : plain;
		};
		/** Makes the deliveries of a round before its clock starts. */
		const make = async (count: number) => {
			const rows = Array.from({ length: count }, (_, row) => row);
			if (kind.sends === 'repeated') return rows.map((row) => delivered[row % delivered.length]);
			if (kind.sends !== 'signed') return rows.map((row) => ({ url: urlOf(row), body: someBody }));
			const bodies = await endedTasks(sandbox, count);
			return (delivered = bodies.map((body, row) => ({ url: urlOf(row), body })));
		};
		return { ...kind, flow, make };
	});
}

/** Has so many videos made over the API; gives the body of each one's callback: the envelope of `GET /status`. */
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
