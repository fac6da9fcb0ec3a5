/** Equal Reuse Keys within one run: their items share one video, and must have equal settings. */
import { invalidInput, type Problem } from '../../shared/task/errors';
import type { Prepared } from '../run/prepare';

/** Equal Reuse Keys of one run: the items that share the video of an earlier one, by item. */
export function sharedKeys(items: readonly Prepared[]): Map<number, Prepared> {
	const first = new Map<string, Prepared>();
	const shared = new Map<number, Prepared>();
	for (const item of items) {
		if (!item.listed?.videoKey) continue;
		const leader = first.get(item.listed.identity);
		if (leader) shared.set(item.itemIndex, leader);
		else first.set(item.listed.identity, item);
	}
	return shared;
}

/** The items whose Reuse Key stands for another video in the same run, each with its problem. */
export function keyProblems(items: readonly Prepared[]): Map<number, Problem> {
	const problems = new Map<number, Problem>();
	for (const [index, leader] of sharedKeys(items)) {
		const item = items.find(({ itemIndex }) => itemIndex === index);
		if (!item?.listed || item.listed.settings === leader.listed?.settings) continue;
		problems.set(
			index,
			invalidInput([
				`Reuse Key "${item.listed.videoKey}" stands for two different videos: number ${leader.itemIndex + 1} has the same key with another prompt or other settings. Give each row a key of its own.`,
			]),
		);
	}
	return problems;
}
