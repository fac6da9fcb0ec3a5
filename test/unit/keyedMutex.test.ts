/** A mutex per key: one after another for one key, at the same time for two, and nothing left behind. */
import { KeyedMutex } from '../../nodes/shared/callback/keyedMutex';
import { flushPromises, VirtualClock } from './virtualClock.cjs';

it('lets the first of a key go on at once, and the next when it is released', async () => {
	const mutex = new KeyedMutex();
	const clock = new VirtualClock();
	const [first, second] = [mutex.acquire('a'), mutex.acquire('a')];
	expect(await first.isHeld(1_000, clock)).toBe(true);
	let isHeld = false;
	void second.isHeld(1_000, clock).then((held) => (isHeld = held));
	await flushPromises();
	expect(isHeld).toBe(false);
	first.release();
	await flushPromises();
	expect(isHeld).toBe(true);
});

it('does not make one key wait for another', async () => {
	const mutex = new KeyedMutex();
	mutex.acquire('a');
	expect(await mutex.acquire('b').isHeld(1_000, new VirtualClock())).toBe(true);
});

it('gives up after the time that was given, and leaves the turn to the ones behind', async () => {
	const mutex = new KeyedMutex();
	const clock = new VirtualClock();
	const first = mutex.acquire('a');
	const [second, third] = [mutex.acquire('a'), mutex.acquire('a')];
	expect(await clock.run(second.isHeld(1_000, clock))).toMatchObject({ result: false });
	second.release();
	let isHeld = false;
	void third.isHeld(60_000, clock).then((held) => (isHeld = held));
	await flushPromises();
	expect(isHeld).toBe(false);
	first.release();
	await flushPromises();
	expect(isHeld).toBe(true);
});

it('remembers no key that nobody holds or waits for', async () => {
	const mutex = new KeyedMutex();
	const locks = Array.from({ length: 300 }, (_, index) => mutex.acquire(`key ${index % 100}`));
	expect(mutex.size).toBe(100);
	for (const lock of locks) {
		lock.release();
		lock.release();
	}
	await flushPromises();
	expect(mutex.size).toBe(0);
});
