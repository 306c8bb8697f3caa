-- AlterEnum
ALTER TYPE "DataFormat" ADD VALUE 'IDX';
