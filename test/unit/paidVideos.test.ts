/** The rows that a run holds, while calls of the list take their time or fail: nothing that is noted meanwhile is lost. */
import type { Run } from '../../nodes/Seedance/run/run';
import { PaidVideos } from '../../nodes/Seedance/videoList/paidVideos';
import { rowOf } from '../../nodes/shared/idempotency/listRow';
import type { Row, Step, VideoList } from '../../nodes/shared/idempotency/videoList';
import { flushPromises, VirtualClock } from './virtualClock.cjs';

const HOUR = 3_600_000;

function held(...items: number[]) {
	const clock = new VirtualClock();
	const call = jest.fn<Promise<Row[]>, Step[]>(async () => []);
	const list = { run: call, now: clock.now, has: () => true, start: () => undefined };
	const context = { logger: { warn: () => undefined } };
	const run = { clock, context, executionId: '1' } as unknown as Run;
	const videos = new PaidVideos(run, list as VideoList);
	const rowAt = (id: number) => rowOf({ id, status: 'SENDING' }) as Row;
	videos.hold(new Map(items.map((item) => [item, rowAt(item)])));
	return { clock, call, videos };
}

it('a task that is noted while a write fails is written by the next one', async () => {
	const { call, videos } = held(1, 2);
	videos.sent(1, { taskId: 'seed1' });
	call.mockImplementationOnce(async () => {
		videos.sent(2, { taskId: 'seed2' });
		throw new Error('locked');
	});
	await videos.flush();
	await videos.flush();
	expect(call.mock.lastCall).toMatchObject([
		{
			rows: [
				{ id: 1, task_id: 'seed1' },
				{ id: 2, task_id: 'seed2' },
			],
		},
	]);
});

it('a pause claims its rows after the renewal that is under way', async () => {
	const { clock, call, videos } = held(1);
	let renewed = () => {};
	call.mockImplementationOnce(
		async () => await new Promise((resolve) => (renewed = () => resolve([]))),
	);
	await clock.run(clock.elapse(61_000));
	expect(call).toHaveBeenCalledTimes(1);
	const keeping = videos.keepUntil(clock.now() + HOUR);
	await flushPromises();
	expect(call).toHaveBeenCalledTimes(1);
	renewed();
	await keeping;
	const [{ set }] = call.mock.lastCall as Array<Extract<Step, { do: 'update' }>>;
	expect(Date.parse(String(set.claimed_until))).toBeGreaterThan(clock.now() + HOUR);
});
