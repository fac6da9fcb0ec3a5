/** Which events a trigger has started a run for: what several requests of one process tell each other. */
import { deduplicationOf, REMEMBERED_TRIGGERS } from '../../nodes/SeedanceTrigger/deduplication';

const MINUTE = 60_000;

it('takes a run that waits for a video for every outcome, and for so long only', () => {
	const deliveries = deduplicationOf('waits', {});
	deliveries.awaitVideo('seed1', 45_000);
	expect(deliveries.has('seed1', 'succeeded', 44_999)).toBe(true);
	expect(deliveries.has('seed1', 'failed', 44_999)).toBe(true);
	expect(deliveries.has('seed2', 'succeeded', 0)).toBe(false);
	expect(deliveries.has('seed1', 'succeeded', 45_001)).toBe(false);
});

it('takes what that run has given out, and nothing else, once it has', () => {
	const deliveries = deduplicationOf('gives', {});
	deliveries.awaitVideo('seed1', MINUTE);
	deduplicationOf('gives', {}).confirmVideo('seed1', 'failed');
	expect(deliveries.has('seed1', 'failed', 0)).toBe(true);
	expect(deliveries.has('seed1', 'succeeded', 0)).toBe(false);
});

it('notes nothing for a run that no callback of this memory has started', () => {
	const deliveries = deduplicationOf('test run', {});
	deliveries.confirmVideo('seed1', 'succeeded');
	expect(deliveries.has('seed1', 'succeeded', 0)).toBe(false);
});

it('forgets an event and its wait when the run was not started', () => {
	const deliveries = deduplicationOf('not started', {});
	deliveries.add('seed1', 'noVideo');
	deliveries.awaitVideo('seed1', MINUTE);
	deliveries.rollback('seed1', 'noVideo');
	for (const outcome of ['noVideo', 'succeeded', 'failed']) {
		expect(deliveries.has('seed1', outcome, 0)).toBe(false);
	}
});

it('saves an event of another request only when its run was started', () => {
	const [mine, theirs] = [{ delivered: ['old:succeeded'] }, {}];
	const deliveries = deduplicationOf('saves', mine);
	const others = deduplicationOf('saves', theirs);
	others.add('seed2', 'succeeded');
	deliveries.add('seed1', 'succeeded');
	expect(mine.delivered).toEqual(['old:succeeded', 'seed1:succeeded']);
	others.confirm('seed2', 'succeeded');
	deliveries.write('seed1', 'succeeded');
	expect(mine.delivered).toEqual(['old:succeeded', 'seed2:succeeded', 'seed1:succeeded']);
});

it('remembers so many triggers, and drops none that has a callback under way', () => {
	const busy = deduplicationOf('busy', {});
	const lock = busy.acquire('seed1');
	busy.add('seed1', 'succeeded');
	deduplicationOf('idle', {}).add('seed1', 'succeeded');
	for (let index = 0; index < REMEMBERED_TRIGGERS; index++) deduplicationOf(`trigger ${index}`, {});
	expect(deduplicationOf('idle', {}).has('seed1', 'succeeded', 0)).toBe(false);
	expect(deduplicationOf('busy', {}).has('seed1', 'succeeded', 0)).toBe(true);
	lock.release();
});
