// 10,000 hostile deliveries against Seedance Trigger, hosted as n8n hosts it: none starts a run, learns anything, or
// leaves a trace, and genuine ones in their midst start theirs. fast-check prints the seed of a failure; `SEED=1 npx jest …`
// runs the same deliveries again. A rejection that nobody handles, or an error thrown late, fails the test in jest itself.
// Bodies that n8n itself refuses, and other methods, are sent to a real n8n in test/e2e/trigger.suite.cts.
import fc, { type Arbitrary } from '../support/fastCheck.cjs';
import {
	claims,
	forgedProofs,
	hangUp,
	oddBodyDeliveries,
	reportOf,
	reports,
	send,
	signedQuery,
	strangeTaskDeliveries,
	unsignedDeliveries,
	wrongWith,
	type HttpResponse,
	type Ground,
	type HostileDelivery,
} from '../support/hostile.cjs';
import { triggerWorld } from '../support/triggerHost.cjs';

/** Batches, and the deliveries in each. */
const FORGED_ENDS = [8, 30];
const STREAM = [30, 16];

/** How many times faster than real time the node's clock runs where it waits. */
const FAST = 6;

/** Batches wait for real time: a smaller counterexample would cost minutes. */
const AS_FOUND = { endOnFailure: true };

jest.setTimeout(600_000);
const world = triggerWorld({ apiKey: 'sk-sandbox-of-the-account-under-test' });
afterAll(hangUp);

const PROMPT = 'A prompt that only the account may know';

let ground: Ground;
/** Answered deliveries, over all tests. */
let delivered = 0;

const times = async <T,>(count: number, make: () => T | Promise<T>): Promise<T[]> =>
	await Promise.all(Array.from({ length: count }, make));

beforeEach(async () => {
	const { apiKey, otherAccount } = world.sandbox;
	ground = {
		apiKey,
		otherKey: otherAccount.apiKey,
		ended: await times(5, async () => await world.endedTask(PROMPT)),
		foreign: await times(5, () => otherAccount.createTask()),
	};
});

/** What must not be in a response or in the log: keys, signatures, and what the API reports of a task. */
const secrets = () => [ground.apiKey, ground.otherKey, PROMPT, '/videos/', 'seedance_sig'];

/** Sends a delivery. Gives everything that is wrong with the response, and with what the deliveries so far have left behind. */
async function problemsOf(delivery: HostileDelivery): Promise<string[]> {
	const { host } = world;
	const problems = wrongWith(delivery, await send(host.trigger.url, delivery), secrets());
	delivered++;
	const log = JSON.stringify(host.logs);
	const logged = [...secrets(), ...delivery.signatures].filter((secret) => log.includes(secret));
	if (logged.length) problems.push(`the log holds ${logged.join(', ')}`);
	// The log has one line for each refusal, and nothing of a sender's making in it but an id.
	const odd = host.logs.find(({ text }) => /\p{C}/u.test(text) || text.length > 1_500);
	if (odd) problems.push(`the log has an odd line: ${JSON.stringify(odd).slice(0, 300)}`);
	if (host.thrown.length) problems.push(`the node threw ${String(host.thrown[0])}`);
	if ('polluted' in {}) problems.push('Object.prototype was changed');
	return problems;
}

/** Of three IDs that a body may name, in both versions of the API, and all once more. */
const MOST_READS = 12;

it.each<[string, number, (from: Ground) => Arbitrary<HostileDelivery>, number]>([
	['whatever is not signed by the account: 401', 7_000, unsignedDeliveries, 0],
	[
		"genuine deliveries about nobody's tasks and foreign ones: 404",
		1_000,
		strangeTaskDeliveries,
		MOST_READS,
	],
	[
		'genuine ones with anything but a task in them: 400 or 404',
		1_300,
		oddBodyDeliveries,
		MOST_READS,
	],
])('starts nothing for %s', async (_what, numRuns, deliveriesOf, maxReads) => {
	const { host, sandbox } = world;
	const posts = sandbox.ledger.posts().length;
	await fc.assert(
		fc.asyncProperty(deliveriesOf(ground), async (delivery) => {
			const reads = sandbox.ledger.statusReads().length;
			host.clockSpeed = FAST;
			host.logs.length = 0;
			const problems = await problemsOf(delivery);
			await host.idle();
			const read = sandbox.ledger.statusReads().length - reads;
			if (read > maxReads) problems.push(`the API was read ${read} times`);
			if (sandbox.ledger.posts().length > posts) problems.push('a video was ordered');
			if (host.runs.length) problems.push(`a run was started: ${JSON.stringify(host.runs[0])}`);
			if (host.staticData.size) problems.push('the static data were changed');
			host.staticData.clear();
			if (host.runs.length) host.reset();
			if (problems.length) throw new Error(problems.join('\n'));
		}),
		{ numRuns },
	);
});

it('starts nothing for a claimed end while the task runs, and one run with what the API reports once it has ended', async () => {
	const { host, sandbox } = world;
	const [numRuns, length] = FORGED_ENDS;
	const query = signedQuery(ground.apiKey, { row: 1 });
	const batches = fc.array(claims, { minLength: length, maxLength: length });
	const check = fc.asyncProperty(batches, async (sent) => {
		host.reset();
		host.clockSpeed = FAST;
		host.logs.length = 0;
		const taskIds = await times(length, async () => await world.startTask());
		const deliverAll = async (): Promise<HttpResponse[]> =>
			await Promise.all(
				taskIds.map(
					async (id, index) => await send(host.trigger.url, reportOf(id, sent[index], query)),
				),
			);
		const due = { statuses: [503], byN8n: false, signatures: [query] };
		for (const response of await deliverAll()) {
			expect(wrongWith(due, response, secrets())).toEqual([]);
			delivered++;
		}
		expect([host.runs.length, host.staticData.size]).toEqual([0, 0]);
		const log = host.logs.map(({ text }) => text).join('\n');
		for (const id of taskIds) {
			expect(log).toContain(`it says that task ${id} has ended, but the API shows it as running`);
		}

		host.clockSpeed = 1;
		for (const id of taskIds) sandbox.finish(id);
		expect((await deliverAll()).map(({ status }) => status)).toEqual(sent.map(() => 200));
		const items = taskIds.map(async (id) => [await world.itemOf(id, { row: 1 })]);
		expect(host.runs).toHaveLength(length);
		expect(host.runs.map(({ json }) => json)).toEqual(
			expect.arrayContaining(await Promise.all(items)),
		);
	});
	await fc.assert(check, { numRuns, ...AS_FOUND });
});

it('starts exactly one run for a genuine delivery in the midst of hostile ones, with what the API reports', async () => {
	const { host } = world;
	const [numRuns, length] = STREAM;
	const hostile = fc.oneof(
		unsignedDeliveries(ground),
		strangeTaskDeliveries(ground),
		oddBodyDeliveries(ground),
	);
	const stream = fc.record({
		hostile: fc.array(hostile, { minLength: length - 5, maxLength: length - 5 }),
		// Forged for the very task that has ended.
		forged: fc.array(forgedProofs(ground), { minLength: 5, maxLength: 5 }),
		genuine: reports,
		metadata: fc.record({ row: fc.nat(), note: fc.string({ unit: 'grapheme', maxLength: 15 }) }),
		/** Where genuine copies are sent, beside the one at the end. */
		places: fc.array(fc.nat({ max: length }), { minLength: 1, maxLength: 3 }),
	});
	const check = fc.asyncProperty(stream, async (given) => {
		host.logs.length = 0;
		const [taskId, runsBefore] = [await world.endedTask(PROMPT), host.runs.length];
		const query = signedQuery(ground.apiKey, given.metadata);
		const good = async () => {
			const { status } = await send(host.trigger.url, reportOf(taskId, given.genuine, query));
			return status === 200 ? [] : [`the genuine one got ${status}`];
		};
		const forged = given.forged.map(({ label, query: proof, headers, signatures }) => {
			const { headers: usual, ...sent } = reportOf(taskId, given.genuine, proof);
			const due = { statuses: [401], byN8n: false, signatures };
			return { label, ...sent, headers: { ...headers, ...usual }, ...due };
		});
		const sent = [...given.hostile, ...forged].flatMap((delivery, index) => [
			...(given.places.includes(index) ? [good()] : []),
			problemsOf(delivery).then((all) => all.map((wrong) => `${delivery.label}: ${wrong}`)),
		]);
		expect((await Promise.all([...sent, good()])).flat()).toEqual([]);
		await host.idle();
		expect(host.runs.slice(runsBefore).map(({ json }) => json)).toEqual([
			[await world.itemOf(taskId, given.metadata)],
		]);
	});
	await fc.assert(check, { numRuns, ...AS_FOUND });
});

it('has had 10,000 of them', () => {
	expect(delivered).toBeGreaterThanOrEqual(10_000);
});
