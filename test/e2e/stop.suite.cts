// The button Stop: it ends a wait at once, and it never loses the id of a video that is being paid for.
import { endOf, startScene, until, world, type Scene } from './world.cjs';

const ENDLESS: Scene = {
	parameters: { operation: 'generateAndWait' },
	rows: [{ prompt: 'A boat [never]' }],
};

/** Milliseconds from Stop to the end of the execution that nobody minds. */
const QUICK = 3_000;

export function stopSuite() {
	it('during the wait ends the execution at once, and nobody looks at the task any more', async () => {
		const { api, n8n, sandbox } = world();
		const id = await startScene(ENDLESS);
		await sandbox.ledger.until((ledger) => ledger.statusReads().length > 0);
		const stoppedAt = Date.now();
		await api.stopExecution(id);
		const execution = await endOf(id, QUICK);
		expect(execution.status).toBe('canceled');
		expect(Date.now() - stoppedAt).toBeLessThan(QUICK);
		const [{ taskId }] = sandbox.ledger.charges();
		expect(n8n.log()).toContain(`Seedance task ${taskId} created`);
		const reads = sandbox.ledger.statusReads().length;
		await expect(
			sandbox.ledger.until((ledger) => ledger.statusReads().length > reads, 2_500),
		).rejects.toThrow('did not get there');
	});

	it('during the request lets it finish, and writes the task ID to the log', async () => {
		const { api, n8n, sandbox } = world();
		sandbox.faults.on('generate', { kind: 'delay', ms: 1_500 });
		const id = await startScene({
			...ENDLESS,
			rows: [{ prompt: 'A boat [never]' }, { prompt: 'The next one' }],
		});
		await sandbox.ledger.until((ledger) => ledger.posts().length === 1);
		await api.stopExecution(id);
		expect(sandbox.ledger.charges()).toHaveLength(0);
		expect((await endOf(id, QUICK)).status).toBe('canceled');
		await sandbox.ledger.until((ledger) => ledger.charges().length === 1);
		const [{ taskId }] = sandbox.ledger.charges();
		await until('the task is in the log', () =>
			n8n
				.log()
				.includes(
					`Seedance task ${taskId} created (credential "Seedance account", execution ${id}, item 0)`,
				),
		);
		expect(sandbox.ledger.posts()).toHaveLength(1);
		expect(sandbox.ledger.charges()).toHaveLength(1);
	});
}
