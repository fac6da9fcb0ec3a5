// Ends that come from outside: the button Stop and the workflow's own time limit. No id of a paid video is lost.
import type { Fault } from '../sandbox/server.cjs';
import {
	api,
	CONTINUE,
	endOf,
	logged,
	output,
	posts,
	run,
	sandbox,
	start,
	until,
	videos,
} from '../support/n8n/world.cjs';

/** Milliseconds from Stop to the end of the execution that nobody minds. */
const QUICK = 3_000;

/** What n8n keeps beside an execution for whoever opens it ("Highlighted data"). */
async function highlightsOf(executionId: string): Promise<Record<string, string>> {
	const path = `/executions/${executionId}`;
	return (await api.call<{ customData: Record<string, string> }>('GET', path)).customData;
}

const reads = () => sandbox.ledger.statusReads().length;

describe('Stop', () => {
	it('during the wait ends the execution at once, and nobody reads the task any more', async () => {
		const id = await start({}, { rows: ['A boat [never]'] });
		await sandbox.ledger.until(() => reads() > 0);
		await api.stopExecution(id);
		expect((await endOf(id, QUICK)).status).toBe('canceled');
		await logged(`Seedance task ${videos.paidIds()[0]} created`);
		const before = reads();
		const another = sandbox.ledger.until(() => reads() > before, 2_500);
		await expect(another).rejects.toThrow('did not get there');
	});

	it.each([2, 30])('keeps the ids and credits of its %i videos in the data', async (count) => {
		const rows = Array.from({ length: count }, (_, n) => `Boat ${n} [never]`);
		const id = await start({}, { rows });
		await sandbox.ledger.until(() => videos.paidIds().length === count, 20_000);
		await until('a task is waited for', () => reads() > 0);
		await api.stopExecution(id);
		expect((await endOf(id)).status).toBe('canceled');
		const highlights = await highlightsOf(id);
		const kept = Object.keys(highlights).filter((key) => key.startsWith('seedance_tasks'));
		const ids = kept.flatMap((key) => highlights[key].split(', '));
		expect(ids.sort()).toEqual(videos.paidIds().sort());
		expect(Number(highlights.seedance_credits)).toBe(sandbox.ledger.spent);
	});

	it('while the second video is being sent keeps the id of the first', async () => {
		sandbox.faults.on('generate', { kind: 'delay', ms: 1_500 }, { nth: 2 });
		const id = await start({}, { rows: ['One [never]', 'Two [never]'] });
		await sandbox.ledger.until(() => posts().length === 2);
		await api.stopExecution(id);
		expect((await endOf(id)).status).toBe('canceled');
		expect((await highlightsOf(id)).seedance_tasks).toContain(videos.paidIds()[0]);
		await sandbox.ledger.until(() => videos.paidIds().length === 2);
	});
});

it.each<['generate' | 'status' | 'video', Fault, object]>([
	['status', { kind: 'hang' }, { error_code: 'contact_lost', video_url: null }],
	['video', { kind: 'hang' }, { error_code: 'download_failed', charged: 'yes' }],
	['generate', { kind: 'accept-then-hang' }, { error_code: 'maybe_created', charged: 'unknown' }],
])(
	"the item comes out before the workflow's own time limit when no answer of %s ever comes",
	async (route, fault, expected) => {
		sandbox.faults.on(route, fault, { times: 'always' });
		const options = { onError: CONTINUE, settings: { executionTimeout: 15 } } as const;
		const execution = await run({ downloadVideo: true }, options);
		expect(execution.status).toBe('success');
		const [task_id] = route === 'generate' ? [null] : videos.paidIds();
		expect(output(execution)).toMatchObject([{ task_id, succeeded: false, ...expected }]);
		expect(posts()).toHaveLength(1);
	},
);
