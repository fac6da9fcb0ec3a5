// Hostile deliveries to the production URL of a published trigger in a real n8n: nothing runs, nothing is told, and n8n
// goes on working. `SEED=1 npm run test:e2e -- -t hostile` sends the deliveries of a failure again.
import fc from 'fast-check';

import {
	claims,
	hangUp,
	json,
	oddBodyDeliveries,
	otherMethodDeliveries,
	reportOf,
	send,
	signedQuery,
	strangeTaskDeliveries,
	tooLargeDeliveries,
	unreadableDeliveries,
	unsignedDeliveries,
	wrongWith,
	type Ground,
	type HostileDelivery,
} from '../support/hostile.cjs';
import { n8n, runsOf, sandbox, saveTrigger, startedWith, videos } from '../support/n8n/world.cjs';

const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);

/** Deliveries under way at once. */
const SENDERS = 6;

const PROMPT = 'A prompt that only the account may know';

/**
 * n8n 2.41 has one XML parser for all requests: behind a broken one, others get no answer or somebody else's (measured).
 * That is so for every webhook, and not what is tested here.
 */
const isNoXml = ({ headers }: HostileDelivery) => !/xml/.test(String(headers['content-type']));

async function ground(): Promise<Ground> {
	const { apiKey, otherAccount } = sandbox;
	return {
		apiKey,
		otherKey: otherAccount.apiKey,
		ended: [await videos.ready(PROMPT), await videos.ready(PROMPT)],
		foreign: [otherAccount.createTask(), otherAccount.createTask()],
	};
}

const videoOf = (taskId: string) => `${sandbox.origin}/videos/${taskId}.mp4`;

describe('a hostile sender', () => {
	afterAll(hangUp);

	it('starts nothing and is told nothing with more than 500 deliveries, and n8n goes on', async () => {
		const { id, productionUrl: url } = await saveTrigger();
		const there = await ground();
		const secrets = [there.apiKey, there.otherKey, PROMPT, '/videos/', 'seedance_sig'];
		const sample = (deliveries: fc.Arbitrary<HostileDelivery>, numRuns: number) =>
			fc.sample(deliveries, { seed, numRuns });
		const deliveries = [
			...sample(unsignedDeliveries(there), 350),
			...sample(strangeTaskDeliveries(there), 80),
			...sample(oddBodyDeliveries(there), 100),
			...sample(unreadableDeliveries(there), 50),
			...sample(otherMethodDeliveries(there), 20),
			...tooLargeDeliveries(there),
		].filter(isNoXml);
		const logged = n8n.log().length;
		const problems: string[] = [];
		const rest = [...deliveries];
		const sendRest = async () => {
			for (let next = rest.pop(); next; next = rest.pop()) {
				const wrong = await send(url, next).then(
					(answer) => wrongWith(next, answer, secrets),
					(error: Error) => (next.byN8n ? [] : [error.message]),
				);
				problems.push(...wrong.map((text) => `${text} (${fc.stringify(next)})`));
			}
		};
		await Promise.all(Array.from({ length: SENDERS }, sendRest));
		expect({ seed, problems }).toEqual({ seed, problems: [] });
		expect(deliveries.length).toBeGreaterThanOrEqual(500);
		expect(await runsOf(id)).toEqual([]);

		const taskId = await videos.ready(PROMPT);
		const query = signedQuery(there.apiKey, { row: 1 });
		const end = json({ code: 200, data: { task_id: taskId, status: 'FAILED', response: ['x'] } });
		expect(await send(url, { query, ...end })).toMatchObject({ status: 200 });
		const metadata = { row: 1 };
		expect(startedWith(await runsOf(id, 1))).toMatchObject([
			{ task_id: taskId, status: 'SUCCESS', video_url: videoOf(taskId), metadata },
		]);

		const log = n8n.log().slice(logged);
		expect(log).toContain('Seedance refused a callback: ');
		const signatures = deliveries.flatMap((delivery) => delivery.signatures);
		expect([...secrets, ...signatures].filter((secret) => log.includes(secret))).toEqual([]);
	}, 180_000);

	it('starts nothing for claimed ends of videos that are still being made', async () => {
		videos.hold();
		const { id, productionUrl } = await saveTrigger();
		const told = fc.sample(claims, { seed, numRuns: 20 });
		const taskIds = await Promise.all(told.map(async () => await videos.start()));
		const query = signedQuery(sandbox.apiKey);
		const deliverAll = async () => {
			const sent = taskIds.map((taskId, index) => reportOf(taskId, told[index], query));
			const all = sent.map(async (one) => (await send(productionUrl, one)).status);
			return await Promise.all(all);
		};
		expect(await deliverAll()).toEqual(told.map(() => 503));
		expect(await runsOf(id)).toEqual([]);
		for (const taskId of taskIds) sandbox.finish(taskId);
		expect(await deliverAll()).toEqual(told.map(() => 200));
		const started = startedWith(await runsOf(id, taskIds.length));
		expect(started.map(({ task_id }) => String(task_id)).sort()).toEqual([...taskIds].sort());
		for (const { task_id, video_url } of started) expect(video_url).toBe(videoOf(String(task_id)));
	}, 60_000);
});
