// 10,000 hostile deliveries against Seedance Trigger, hosted as n8n hosts it: none starts a run, is told anything, or
// leaves a trace, and genuine ones in their midst start theirs. fast-check prints the seed of a failure; `SEED=1 npx jest …`
// runs the same deliveries again. A rejection that nobody handles, or an error thrown late, fails the test in jest itself.
import fc, { type Arbitrary } from 'fast-check';

import {
	claims,
	forgedProofs,
	hangUp,
	oddBodyDeliveries,
	otherMethodDeliveries,
	reportOf,
	reports,
	send,
	signedQuery,
	strangeTaskDeliveries,
	tooLargeDeliveries,
	unreadableDeliveries,
	unsignedDeliveries,
	wrongWith,
	type Answer,
	type Ground,
	type HostileDelivery,
} from '../support/hostile.cjs';
import { triggerWorld } from '../support/triggerHost.cjs';

/** Deliveries of each class; the last test checks that they come to 10,000. */
const COUNT = {
	unsigned: 6_500,
	strangeTask: 900,
	oddBody: 1_300,
	unreadable: 500,
	otherMethod: 100,
	tooLarge: 3,
	/** Batches, and the deliveries in each. */
	forgedEnd: [8, 30],
	stream: [30, 16],
};

/** How many times faster than real time the node's clock runs where it waits for an end. */
const FAST = 6;

const { SEED } = process.env;
const seed = SEED === undefined ? {} : { seed: Number(SEED) };

/** Batches wait for real time: a smaller counterexample would cost minutes. */
const AS_FOUND = { endOnFailure: true };

jest.setTimeout(120_000);
const world = triggerWorld({ apiKey: 'sk-sandbox-of-the-account-under-test' });
afterAll(hangUp);

const PROMPT = 'A prompt that only the account may know';

let ground: Ground;
/** Answered deliveries, over all tests. */
let delivered = 0;

beforeEach(async () => {
	const { sandbox } = world;
	ground = {
		apiKey: sandbox.apiKey,
		otherKey: sandbox.otherAccount.apiKey,
		ended: await Promise.all(Array.from({ length: 5 }, async () => await world.endedTask(PROMPT))),
		foreign: Array.from({ length: 5 }, () => sandbox.otherAccount.createTask()),
	};
});

/** What must not be in an answer or in the log: keys, signatures, and what the API tells of a task. */
const secrets = () => [ground.apiKey, ground.otherKey, PROMPT, '/videos/', 'seedance_sig'];

/** Everything that may be wrong with an answer, and with what the deliveries so far have left behind. */
function problemsOf(delivery: HostileDelivery, answer: Answer): string[] {
	const { host } = world;
	const problems = wrongWith(delivery, answer, secrets());
	const log = JSON.stringify(host.logs);
	const logged = [...secrets(), ...delivery.signatures].filter((secret) => log.includes(secret));
	if (logged.length) problems.push(`the log holds ${logged.join(', ')}`);
	// Whoever reads the log sees one line for each refusal, and nothing of a sender's making in it but an id.
	const odd = host.logs.filter(({ text }) => /\p{C}/u.test(text) || text.length > 1_500);
	if (odd.length) problems.push(`the log has an odd line: ${JSON.stringify(odd[0]).slice(0, 300)}`);
	if (host.thrown.length) problems.push(`the node threw ${String(host.thrown[0])}`);
	if ('polluted' in {}) problems.push('Object.prototype was changed');
	return problems;
}

/** Sends one delivery after the other, and looks at everything after each. */
async function refuses(
	deliveries: Arbitrary<HostileDelivery>,
	numRuns: number,
	readsPerDelivery: number,
): Promise<void> {
	const { host, sandbox } = world;
	const posts = sandbox.ledger.posts().length;
	await fc.assert(
		fc.asyncProperty(deliveries, async (delivery) => {
			const reads = sandbox.ledger.statusReads().length;
			host.logs.length = 0;
			const answer = await send(host.trigger.url, delivery);
			await host.idle();
			delivered++;
			const problems = problemsOf(delivery, answer);
			const read = sandbox.ledger.statusReads().length - reads;
			if (read > readsPerDelivery) problems.push(`the API was read ${read} times`);
			if (sandbox.ledger.posts().length > posts) problems.push('a video was ordered');
			if (host.runs.length) problems.push(`a run was started: ${JSON.stringify(host.runs[0])}`);
			if (host.staticData.size) problems.push('the static data were changed');
			host.staticData.clear();
			if (host.runs.length) host.reset();
			if (problems.length) throw new Error(problems.join('\n'));
		}),
		{ numRuns, ...seed, interruptAfterTimeLimit: 60_000 },
	);
}

it('answers 401 to whatever is not signed by the account, and neither reads nor starts anything', async () => {
	await refuses(unsignedDeliveries(ground), COUNT.unsigned, 0);
});

it("answers 404 to genuine deliveries about nobody's tasks and those of somebody else", async () => {
	await refuses(strangeTaskDeliveries(ground), COUNT.strangeTask, 3);
});

it('answers 400 or 404 to genuine deliveries with anything in them but a task of the account', async () => {
	await refuses(oddBodyDeliveries(ground), COUNT.oddBody, 3);
});

it('is not even asked when n8n cannot read the body, or the method has no URL', async () => {
	await refuses(unreadableDeliveries(ground), COUNT.unreadable, 0);
	await refuses(otherMethodDeliveries(ground), COUNT.otherMethod, 0);
	await refuses(fc.constantFrom(...tooLargeDeliveries(ground)), COUNT.tooLarge, 0);
});

it('starts nothing for a claimed end while the task runs, and one run with what the API tells once it has ended', async () => {
	const { host, sandbox } = world;
	const [numRuns, length] = COUNT.forgedEnd;
	host.clockSpeed = FAST;
	const query = signedQuery(ground.apiKey, { row: 1 });
	const batches = fc.array(claims, { minLength: length, maxLength: length });
	await fc.assert(
		fc.asyncProperty(batches, async (told) => {
			host.logs.length = 0;
			const taskIds = await Promise.all(told.map(async () => await world.startTask()));
			const deliverAll = async () =>
				await Promise.all(
					taskIds.map(
						async (id, index) => await send(host.trigger.url, reportOf(id, told[index], query)),
					),
				);
			const forged = await deliverAll();
			delivered += length;
			expect(forged.map(({ status }) => status)).toEqual(told.map(() => 503));
			expect(host.runs).toEqual([]);
			expect(host.staticData.size).toBe(0);
			const log = host.logs.map(({ text }) => text).join('\n');
			for (const id of taskIds) {
				expect(log).toContain(`it says that task ${id} has ended, but the API shows it as running`);
			}

			host.clockSpeed = 1;
			for (const id of taskIds) sandbox.finish(id);
			const genuine = await deliverAll();
			expect(genuine.map(({ status }) => status)).toEqual(told.map(() => 200));
			const items = await Promise.all(
				taskIds.map(async (id) => await world.itemOf(id, { row: 1 })),
			);
			const started = host.runs.map(({ json }) => json);
			expect(started).toHaveLength(length);
			expect(started).toEqual(expect.arrayContaining(items.map((item) => [item])));
			const due = { answers: [503], byN8n: false, signatures: [query] };
			for (const answer of forged) expect(wrongWith(due, answer, secrets())).toEqual([]);
			host.reset();
			host.clockSpeed = FAST;
		}),
		{ numRuns, ...seed, ...AS_FOUND },
	);
});

it('starts exactly one run for a genuine delivery in the midst of hostile ones, with what the API tells', async () => {
	const { host } = world;
	const [numRuns, length] = COUNT.stream;
	const hostile = fc.oneof(
		unsignedDeliveries(ground),
		strangeTaskDeliveries(ground),
		oddBodyDeliveries(ground),
		unreadableDeliveries(ground),
	);
	const stream = fc.record({
		hostile: fc.array(hostile, { minLength: length - 5, maxLength: length - 5 }),
		// Forged for the very task that has ended.
		forged: fc.array(forgedProofs(ground), { minLength: 5, maxLength: 5 }),
		genuine: reports,
		copies: fc.integer({ min: 1, max: 3 }),
		metadata: fc.record({ row: fc.nat(), note: fc.string({ unit: 'grapheme', maxLength: 15 }) }),
		places: fc.array(fc.nat({ max: length }), { minLength: 3, maxLength: 3 }),
	});
	await fc.assert(
		fc.asyncProperty(
			stream,
			async ({ hostile: some, forged, genuine, copies, metadata, places }) => {
				host.logs.length = 0;
				const [taskId, runsBefore] = [await world.endedTask(PROMPT), host.runs.length];
				const isAnswered: Array<Promise<void>> = [];
				const problems: string[] = [];
				const good = async () => {
					const query = signedQuery(ground.apiKey, metadata);
					const { status, body } = await send(host.trigger.url, reportOf(taskId, genuine, query));
					if (status !== 200) problems.push(`the genuine one was answered ${status}: ${body}`);
				};
				const bad = async (delivery: HostileDelivery) => {
					const answer = await send(host.trigger.url, delivery);
					delivered++;
					problems.push(
						...problemsOf(delivery, answer).map((wrong) => `${delivery.label}: ${wrong}`),
					);
				};
				const deliveries: HostileDelivery[] = [
					...some,
					...forged.map(({ label, query, headers = {}, signatures }) => ({
						...reportOf(taskId, genuine, query),
						headers: { ...headers, ...reportOf(taskId, genuine, query).headers },
						label,
						answers: [401],
						byN8n: false,
						signatures,
					})),
				];
				for (const [index, delivery] of deliveries.entries()) {
					if (places.slice(0, copies).includes(index)) isAnswered.push(good());
					isAnswered.push(bad(delivery));
				}
				isAnswered.push(good());
				await Promise.all(isAnswered);
				await host.idle();
				expect(problems).toEqual([]);
				expect(host.runs.slice(runsBefore).map(({ json }) => json)).toEqual([
					[await world.itemOf(taskId, metadata)],
				]);
			},
		),
		{ numRuns, ...seed, ...AS_FOUND },
	);
});

it('has had 10,000 of them', () => {
	expect(delivered).toBeGreaterThanOrEqual(10_000);
});
