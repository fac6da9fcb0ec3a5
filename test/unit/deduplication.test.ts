/** Which events a trigger has started a run for: what several requests of one process tell each other. */
import { deliveriesOf, REMEMBERED_TRIGGERS } from '../../nodes/SeedanceTrigger/deduplication';

const MINUTE = 60_000;

it('takes a run that waits for a video for every outcome, and for so long only', () => {
	const deliveries = deliveriesOf('waits', {});
	deliveries.awaitVideo('seed1', 45_000);
	expect(deliveries.has('seed1', 'succeeded', 44_999)).toBe(true);
	expect(deliveries.has('seed1', 'failed', 44_999)).toBe(true);
	expect(deliveries.has('seed2', 'succeeded', 0)).toBe(false);
	expect(deliveries.has('seed1', 'succeeded', 45_001)).toBe(false);
});

it('takes what that run has given out, and nothing else, once it has', () => {
	const deliveries = deliveriesOf('gives', {});
	deliveries.awaitVideo('seed1', MINUTE);
	deliveriesOf('gives', {}).settleVideo('seed1', 'failed');
	expect(deliveries.has('seed1', 'failed', 0)).toBe(true);
	expect(deliveries.has('seed1', 'succeeded', 0)).toBe(false);
});

it('notes nothing for a run that no callback of this memory has started', () => {
	const deliveries = deliveriesOf('test run', {});
	deliveries.settleVideo('seed1', 'succeeded');
	expect(deliveries.has('seed1', 'succeeded', 0)).toBe(false);
});

it('forgets an event and its wait when the run was not started', () => {
	const deliveries = deliveriesOf('not started', {});
	deliveries.add('seed1', 'noVideo');
	deliveries.awaitVideo('seed1', MINUTE);
	deliveries.rollback('seed1', 'noVideo');
	for (const outcome of ['noVideo', 'succeeded', 'failed']) {
		expect(deliveries.has('seed1', outcome, 0)).toBe(false);
	}
});

it('saves an event of another request only when its run was started', () => {
	const [mine, theirs] = [{ delivered: ['old:succeeded'] }, {}];
	const deliveries = deliveriesOf('saves', mine);
	const others = deliveriesOf('saves', theirs);
	others.add('seed2', 'succeeded');
	deliveries.add('seed1', 'succeeded');
	expect(mine.delivered).toEqual(['old:succeeded', 'seed1:succeeded']);
	others.confirm('seed2', 'succeeded');
	deliveries.write('seed1', 'succeeded');
	expect(mine.delivered).toEqual(['old:succeeded', 'seed2:succeeded', 'seed1:succeeded']);
});

it('remembers so many triggers, and drops none that has a callback under way', () => {
	const busy = deliveriesOf('busy', {});
	const lock = busy.acquire('seed1');
	busy.add('seed1', 'succeeded');
	deliveriesOf('idle', {}).add('seed1', 'succeeded');
	for (let index = 0; index < REMEMBERED_TRIGGERS; index++) deliveriesOf(`trigger ${index}`, {});
	expect(deliveriesOf('idle', {}).has('seed1', 'succeeded', 0)).toBe(false);
	expect(deliveriesOf('busy', {}).has('seed1', 'succeeded', 0)).toBe(true);
	lock.release();
});
