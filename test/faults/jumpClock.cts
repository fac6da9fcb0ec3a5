// Time for the fault suite: hours pass in no time, in the order in which real sleepers would wake. Time moves on when
// nothing is running any more, so what a run takes on this clock does not depend on how busy the machine is.
import { setImmediate as turn } from 'node:timers/promises';

import type { Clock } from '../../nodes/shared/n8n/clock';

/** Turns of the event loop without anything new, after which all work that needs no time has been done. */
const QUIET_TURNS = 3;
/** Real milliseconds between two checks of running work, and how many of them without anything new mean "stuck". */
const STUCK_CHECK_MS = 50;
const STUCK_CHECKS = 8;

/** Dates in HTTP have no fractions of a second: what they mean must not depend on chance. */
const wholeSecond = () => Math.ceil(Date.now() / 1000) * 1000;

interface Sleeper {
	/** Virtual milliseconds since 1970. */
	wakesAt: number;
	wake: (finished: boolean) => void;
}

export class JumpClock {
	/** Called after each jump, before anyone wakes up, with the new time. */
	onJump: (now: number) => void = () => undefined;
	/** From this virtual time on sleeps end at once, as after Stop, so that endless waits end. */
	latest = Infinity;

	private time = wholeSecond();
	private readonly sleepers = new Set<Sleeper>();
	private inFlight = 0;
	private events = 0;
	private readonly listeners: Array<() => void> = [];
	private isPumping = false;
	/** The last event before everything got stuck; time goes on without waiting for it. */
	private stuckAt = -1;
	private noise = 1;

	/** Virtual milliseconds since 1970. */
	now(): number {
		return this.time;
	}

	/** Forgets all sleepers and starts again at about the real time. */
	reset(): void {
		for (const sleeper of [...this.sleepers]) sleeper.wake(false);
		this.time = wholeSecond();
		this.latest = Infinity;
		this.noise = 1;
	}

	/** A clock as the nodes use it; `signal` wakes its sleepers, as Stop does. */
	clock(signal?: AbortSignal): Clock {
		return {
			now: () => this.time,
			random: () => this.random(),
			sleep: async (ms, cancel) => await this.sleep(ms, signal, cancel),
			uncancellable: () => this.clock(),
		};
	}

	/** Waits so many virtual milliseconds. False when the clock was reset, or one of the signals came. */
	async sleep(ms: number, ...signals: Array<AbortSignal | undefined>): Promise<boolean> {
		const given = signals.filter((signal) => signal !== undefined);
		if (this.time >= this.latest || given.some(({ aborted }) => aborted)) return false;
		return await new Promise((resolve) => {
			const end = () => sleeper.wake(false);
			const sleeper: Sleeper = {
				wakesAt: this.time + Math.max(0, ms),
				wake: (finished) => {
					this.sleepers.delete(sleeper);
					for (const signal of given) signal.removeEventListener('abort', end);
					resolve(finished);
				},
			};
			this.sleepers.add(sleeper);
			for (const signal of given) signal.addEventListener('abort', end, { once: true });
			void this.pump();
		});
	}

	/** Takes note of work that time has to wait for; gives what ends it. */
	begin(): () => void {
		this.inFlight += 1;
		this.happened();
		let isOver = false;
		return () => {
			if (isOver) return;
			isOver = true;
			this.inFlight -= 1;
			this.happened();
		};
	}

	/** Resolves when nothing is running, however long that takes. */
	async idle(): Promise<void> {
		do {
			while (this.inFlight > 0) {
				await new Promise<void>((resolve) => this.listeners.push(resolve));
			}
			await this.quiet();
		} while (this.inFlight > 0);
	}

	/** Resolves when nothing is running, or when what is has been stuck for a while. */
	private async quiet(): Promise<void> {
		for (let turns = 0; turns < QUIET_TURNS; ) {
			const before = this.events;
			await turn();
			if (this.events !== before) turns = 0;
			else if (this.inFlight === 0 || this.stuckAt === this.events) turns += 1;
			else turns = (await this.isStuck()) ? QUIET_TURNS : 0;
		}
	}

	private happened(): void {
		this.events += 1;
		for (const notify of this.listeners.splice(0)) notify();
	}

	private async isStuck(): Promise<boolean> {
		const before = this.events;
		// Several short waits: one long one could pass while this process gets no time at all.
		for (let checks = 0; checks < STUCK_CHECKS && this.events === before; checks += 1) {
			await new Promise<void>((resolve) => {
				const timer = setTimeout(resolve, STUCK_CHECK_MS);
				this.listeners.push(() => {
					clearTimeout(timer);
					resolve();
				});
			});
		}
		if (this.events !== before) return false;
		this.stuckAt = before;
		return true;
	}

	/** Wakes one sleeper after the other, each at its time. */
	private async pump(): Promise<void> {
		if (this.isPumping) return;
		this.isPumping = true;
		while (this.sleepers.size > 0) {
			await this.quiet();
			// Of two with the same time, the one that went to sleep first.
			const [next] = [...this.sleepers].sort((a, b) => a.wakesAt - b.wakesAt);
			if (!next) continue;
			this.time = Math.max(this.time, next.wakesAt);
			this.onJump(this.time);
			next.wake(true);
		}
		this.isPumping = false;
	}

	/** The same row of numbers after each reset, from 0 up to 1. */
	private random(): number {
		this.noise = (this.noise * 48_271) % 2_147_483_647;
		return this.noise / 2_147_483_647;
	}
}
